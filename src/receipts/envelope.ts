/** DSSE (https://github.com/secure-systems-lab/dsse): what is signed is the type and the payload, each with its length before it. */
import { createPublicKey, sign, verify } from "node:crypto";
import { canonical, type Envelope, receiptPayload, type Statement } from "../domain/receipt.ts";
import { type PublicKey, publicKey, type SigningKey } from "./key.ts";

/** Pre-authentication encoding; lengths are of bytes. */
export const pae = (type: string, payload: Buffer): Buffer => Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);

export const seal = (statement: Statement, { keyid, secret, public: { spki } }: SigningKey): Envelope => {
  const payload = Buffer.from(canonical(statement));
  return { payloadType: receiptPayload, payload: payload.toString("base64"), signatures: [{ keyid, sig: sign(null, pae(receiptPayload, payload), secret).toString("base64"), publicKey: spki.toString("base64") }] };
};

/** Bytes of a base64 text, which has one form only; `undefined`: another text would give the same bytes. */
export const bytesOf = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
};

/** The key that came along, when it is the one that its `keyid` names. */
export const keyWith = ({ keyid, publicKey: text }: Envelope["signatures"][number]): PublicKey | undefined => {
  const spki = bytesOf(text);
  if (spki === undefined) return undefined;
  try {
    const key = publicKey(createPublicKey({ key: spki, format: "der", type: "spki" }));
    return key?.keyid === keyid && key.spki.equals(spki) ? key : undefined;
  } catch {
    return undefined;
  }
};

export const isSignedBy = ({ payloadType }: Envelope, payload: Buffer, { sig }: Envelope["signatures"][number], { key }: PublicKey): boolean => {
  const bytes = bytesOf(sig);
  return bytes !== undefined && verify(null, pae(payloadType, payload), key, bytes);
};
