// A certified OpenID provider (npm oidc-provider, MIT) with one client, for the test beside this file.
// Shape: node real_provider.mjs PORT BACK; it says "ready" once it listens.
import { Provider } from "oidc-provider";

const [port, back] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: "farthing", client_secret: "a secret of some length, for HS256 has one too",
    redirect_uris: [back], response_types: ["code"], grant_types: ["authorization_code"],
  }],
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ["sub"], profile: ["name", "groups"], email: ["email", "email_verified"] },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: "Ada", groups: ["money"], email: "ada@mill.example", email_verified: true }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
