/**
 * The factory's signing key.
 *
 * Owns: `keys/receipts.pem` in the state directory. Talks to: the disk.
 * I1 It is made once: of two processes that make it at the same time, both sign with what the first one put there. I2 What is there and is no key is
 * never replaced: receipts that were signed before would no longer be ours. I3 Nobody but its owner can read it, or it is not used.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";

/** A person has to mend it; nothing was signed. */
export class KeyUnusable extends Error {
  override readonly name = "KeyUnusable";
  readonly mend: string;
  constructor(message: string, mend: string) {
    super(message);
    this.mend = mend;
  }
}

export interface SigningKey { readonly keyid: string; readonly secret: KeyObject; readonly public: PublicKey }
export interface PublicKey { readonly keyid: string; readonly key: KeyObject; /** DER, SPKI. */ readonly spki: Buffer }

export const keyFile = (stateDirectory: string): string => join(stateDirectory, "keys", "receipts.pem");

/** `undefined`: it is no Ed25519 key. */
export const publicKey = (key: KeyObject): PublicKey | undefined => {
  if (key.asymmetricKeyType !== "ed25519") return undefined;
  const spki = key.export({ type: "spki", format: "der" });
  return { keyid: createHash("sha256").update(spki).digest("hex"), key, spki };
};

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "");

/** The key that is there; `undefined`: none was made yet. */
export const readKey = async (stateDirectory: string): Promise<SigningKey | undefined> => {
  const file = keyFile(stateDirectory);
  const stat = await fs.lstat(file).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw new KeyUnusable(`the factory's key ${file} cannot be looked at: ${codeOf(error) || String(error)}`, "give the command as the user who started this factory");
  });
  if (stat === undefined) return undefined;
  if (!stat.isFile()) throw new KeyUnusable(`the factory's key ${file} is no file of its own`, "look at what is there, and move it away");
  // I3.
  if ((stat.mode & 0o077) !== 0) throw new KeyUnusable(`the factory's key ${file} can be read or written by other users`, `if nobody has read it: chmod 600 ${file}`);
  const text = await fs.readFile(file, "utf8").catch((error: unknown) => { throw new KeyUnusable(`the factory's key ${file} cannot be read: ${codeOf(error) || String(error)}`, "give the command as the user who started this factory"); });
  const damaged = new KeyUnusable(`the factory's key ${file} is damaged; it was left as it is`, `put it back from a backup; without one, move it away: the next receipt makes a new key, and earlier receipts are verified with the old public key`);
  let secret: KeyObject;
  try {
    secret = createPrivateKey(text);
  } catch {
    throw damaged;
  }
  const own = publicKey(createPublicKey(secret));
  if (own === undefined) throw damaged;
  return { keyid: own.keyid, secret, public: own };
};

/** The factory's key, made when there is none. */
export const signingKey = async (stateDirectory: string): Promise<SigningKey> => {
  const known = await readKey(stateDirectory);
  if (known !== undefined) return known;
  const file = keyFile(stateDirectory);
  try {
    await fs.mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await place(file, generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  } catch (error) {
    throw new KeyUnusable(`the factory's key ${file} cannot be made: ${codeOf(error) || String(error)}`, "make the state directory writable, or make room on its disk");
  }
  const made = await readKey(stateDirectory);
  if (made === undefined) throw new KeyUnusable(`the factory's key ${file} is gone again`, "see what removes files there");
  return made;
};

/** Whole and on the disk before it has its name, which only one can give (I1). */
const place = async (file: string, text: string): Promise<void> => {
  const temporary = `${file}.${randomUUID()}`;
  try {
    const handle = await fs.open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.link(temporary, file).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    const directory = await fs.open(dirname(file), "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } finally {
    await fs.rm(temporary, { force: true });
  }
};
