// A receipt that checks itself: its path to a signed head, the signature, and the key's certificate,
// from nothing but the receipt and the hub's root key. docs/explanation/what-a-receipt-proves.md

const utf8 = (text) => new TextEncoder().encode(text);
const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (raw) =>
  btoa(String.fromCharCode(...raw)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const hash = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
const same = (one, other) => one.length === other.length && one.every((byte, i) => byte === other[i]);

// RFC 8785, for what a receipt has: texts, lists and objects.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}

async function signed(key, signature, message) {
  const [kind, written] = key.split(":");
  if (kind !== "ed25519") throw new DOMException("", "NotSupportedError");
  const known = await crypto.subtle.importKey("raw", bytes(written), "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", known, bytes(signature), message);
}

const LEAF = joined([0], utf8("farthing-leaf-1"));
const NODE = joined([1], utf8("farthing-node-1"));
const ROOT = joined([2], utf8("farthing-root-1"));

async function rootOf({ statement, proof }) {
  const leaf = await hash(LEAF, await hash(utf8(canonical(statement))), bytes(proof.rows));
  const path = proof.path.map(bytes);
  let node = leaf, index = BigInt(proof.index), width = BigInt(proof.head.leaves);
  if (index >= width) return null;
  for (; width > 1n; index /= 2n, width = (width + 1n) / 2n) {
    if ((index ^ 1n) >= width) continue;
    const neighbour = path.shift();
    if (!neighbour) return null;
    node = index % 2n ? await hash(NODE, neighbour, node) : await hash(NODE, node, neighbour);
  }
  const count = new Uint8Array(8);
  new DataView(count.buffer).setBigUint64(0, BigInt(proof.head.leaves));
  return path.length ? null : hash(ROOT, count, node);
}

export async function holds(receipt, rootKey) {
  const { statement, proof, certificate } = receipt, { head } = proof;
  const { from, hub, key } = certificate;
  const certified = joined(utf8("farthing-certificate-1\n"), utf8(canonical({ from, hub, key })));
  const { chain, leaves, number, previous, root, time } = head;
  const message = joined(utf8("farthing-head-1\n"), utf8(canonical({ chain, leaves, number, previous, root, time })));
  const found = await rootOf(receipt);
  return receipt.version === "farthing-receipt-1" && found !== null && same(found, bytes(root))
    && key === head.key && statement.hub === hub
    && BigInt(time) / 1_000_000_000n >= BigInt(Date.parse(from)) / 1000n
    && await signed(rootKey, certificate.signature, certified) && await signed(key, head.signature, message);
}

for (const box of document.querySelectorAll("[data-receipt]")) {
  const verdict = box.querySelector("[data-verdict]");
  const say = (state) => { box.dataset.state = state; verdict.textContent = box.dataset[state]; };
  try {
    say(await holds(JSON.parse(box.querySelector("[data-text]").textContent), box.dataset.root) ? "holds" : "broken");
  } catch (fault) {
    say(fault instanceof DOMException ? "unable" : "broken");
  }
}
