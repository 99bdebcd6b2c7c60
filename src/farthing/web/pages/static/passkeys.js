// Passkeys: what the hub asks for is handed to the browser, and what it answers is handed back.

const csrf = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

export class Refused extends Error {}

export async function post(path, body) {
  const headers = { "content-type": "application/json", accept: "application/json", "x-csrf": csrf() };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(told.detail ?? told.title ?? "");
  return told;
}

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

export async function make({ options, ticket }) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: named(options.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  const response = {
    clientDataJSON: text(made.response.clientDataJSON),
    attestationObject: text(made.response.attestationObject),
  };
  return { ticket, answer: answerOf(made, response) };
}

export async function show({ options, ticket }) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: named(options.allowCredentials),
  };
  const shown = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature, userHandle } = shown.response;
  const response = {
    clientDataJSON: text(clientDataJSON),
    authenticatorData: text(authenticatorData),
    signature: text(signature),
    userHandle: userHandle ? text(userHandle) : null,
  };
  return { ticket, answer: answerOf(shown, response) };
}

const answerOf = (credential, response) => ({
  id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
  clientExtensionResults: credential.getClientExtensionResults(),
});

export const prove = async (act, subject) => show(await post("/proofs", { act, subject }));
