/**
 * Looks at a receipt: by itself, and against the repository that it is about. Needs no network, no store and no state directory.
 *
 * I1 Nothing of the payload is believed before a signature by the wanted key holds. I2 Every doubt is a named one: form, key, signature, commit, history.
 */
import { createPublicKey } from "node:crypto";
import { Effect } from "effect";
import { Envelope, receiptPayload, type ReceiptCheckup, Statement } from "../domain/receipt.ts";
import { commitOf, distrusted, gitAsks, type GitPlace } from "../git/git.ts";
import { changesBetween } from "../workspaces/changes.ts";
import { bytesOf, isSignedBy, keyWith } from "./envelope.ts";
import { KeyUnusable, type PublicKey, publicKey } from "./key.ts";

/** Whose signature is asked for: this key, or the one with this id, which the receipt itself may bring along. */
export type Wanted = { readonly key: PublicKey } | { readonly keyid: string };

type Doubt = Extract<ReceiptCheckup, { verified: false }>;
const doubt = (why: Doubt["why"], detail: string): Doubt => ({ verified: false, why, detail });

/** A public key as `receipt key` prints it. */
export const keyFromPem = (pem: string, file: string): PublicKey => {
  try {
    const key = /PRIVATE KEY/.test(pem) ? undefined : publicKey(createPublicKey(pem));
    if (key !== undefined) return key;
  } catch {
    // Said below.
  }
  throw new KeyUnusable(`${file} holds no public Ed25519 key in PEM form`, "let the factory that signed print it with: enact-factory receipt key");
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Without the repository. */
export const verifyReceipt = (text: string, wanted: Wanted): ReceiptCheckup => {
  const envelope = Envelope.safeParse(parsed(text));
  if (!envelope.success) return doubt("malformed", "this is no signed receipt (a DSSE envelope)");
  const { data } = envelope, payload = bytesOf(data.payload);
  if (payload === undefined) return doubt("malformed", "the payload is not in its only base64 form");
  if (data.payloadType !== receiptPayload) return doubt("malformed", `the payload is of type ${JSON.stringify(data.payloadType.slice(0, 80))}, not ${receiptPayload}`);
  const keyid = "key" in wanted ? wanted.key.keyid : wanted.keyid;
  const signature = data.signatures.find((each) => each.keyid === keyid);
  if (signature === undefined) return doubt("unknownKey", `it is signed by ${data.signatures.map((each) => each.keyid.slice(0, 16)).join(", ")}, not by ${keyid.slice(0, 16)}`);
  const own = keyWith(signature);
  if (own === undefined) return doubt("malformed", "the key beside the signature is not the one that the key id names");
  if (!isSignedBy(data, payload, signature, "key" in wanted ? wanted.key : own)) return doubt("signature", `the signature by ${keyid.slice(0, 16)} does not hold: the receipt was changed after it was signed`);
  const statement = Statement.safeParse(parsed(payload.toString("utf8")));
  if (!statement.success) return doubt("malformed", `what was signed is no receipt of a version that is known here: ${statement.error.issues[0]?.path.join(".") ?? ""} ${statement.error.issues[0]?.message ?? ""}`.trim());
  const { subject: [subject], predicate: { change } } = statement.data;
  if (subject.digest.gitCommit !== change.head) return doubt("malformed", "its subject is another commit than the change it tells of");
  return { verified: true, keyid, statement: statement.data, repository: false };
};

/** The commits are there, head comes after base, and what lies between them is what was told. */
const inRepository = (place: GitPlace, { predicate: { change } }: Statement) => Effect.gen(function* () {
  const { base, head, diffSha256 } = change;
  for (const [name, commit] of [["the subject commit", head], ["the base commit", base]] as const) {
    if ((yield* commitOf(place, commit)) !== commit) return doubt("commitMissing", `${name} ${commit} is not in the repository`);
  }
  if (base !== head && !(yield* gitAsks(place, ["merge-base", "--is-ancestor", base, head]))) return doubt("history", `${head.slice(0, 12)} does not come after ${base.slice(0, 12)}`);
  const { hash } = yield* changesBetween(place, base, head);
  return diffSha256 === null || hash === diffSha256 ? undefined : doubt("history", `what lies between ${base.slice(0, 12)} and ${head.slice(0, 12)} is not the change that was told`);
});

/** Rejects when the repository cannot be read. */
export const verifyAgainst = async (checkup: ReceiptCheckup, repository: string): Promise<ReceiptCheckup> => {
  if (!checkup.verified) return checkup;
  const place = { cwd: repository };
  const found = await Effect.runPromise(distrusted(place).pipe(Effect.flatMap((config) => inRepository({ ...place, config }, checkup.statement))));
  return found ?? { ...checkup, repository: true };
};
