// A service as many are written: letter case, last slashes and endings make no difference, and
// other methods may be asked for in a field. Arguments: a port, and the secret.
const http = require("node:http");
const [port, secret] = process.argv.slice(2);

function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

const server = http.createServer({ insecureHTTPParser: true }, (request, response) => {
  const asked = request.headers["x-original-url"] || request.url;
  const path = new URL(asked.replace(/\\/g, "/"), "http://a").pathname;
  const plain = decoded(decoded(path)).normalize("NFKC").toLowerCase();
  const name = plain.replace(/\/+/g, "/").replace(/[;#?].*$/, "").replace(/(\.\w+)?[/. ]*$/, "");
  const found = name === "/paid" || name === "/vault/gold";
  response.end(found ? secret : "free"); // What the request's body holds is never read.
});
server.listen(Number(port), "127.0.0.1");
