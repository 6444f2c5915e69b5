/** Receipts for the command line: the factory's public key, and a look at a receipt by whoever has one. */
import { readFile } from "node:fs/promises";
import { ClientProblem } from "../client/contract.ts";
import type { ReceiptTools } from "../client/local-tools.ts";
import { readKey, signingKey } from "../receipts/key.ts";
import { keyFromPem, verifyAgainst, verifyReceipt, type Wanted } from "../receipts/verify.ts";
import { asProblem, prepare, type Setting, settingFor } from "./setting.ts";

const doctor = "see what is wrong with: enact-factory doctor";

export const ownPublicKey = async (setting: Setting): Promise<{ readonly keyid: string; readonly pem: string }> => {
  await prepare(setting);
  const { keyid, public: { key } } = await signingKey(setting.stateDirectory).catch((error: unknown) => { throw asProblem(error, doctor); });
  return { keyid, pem: key.export({ type: "spki", format: "pem" }).toString() };
};

/** Of a receipt and of a key; what is larger is neither. */
const mostBytes = 64 * 1_024 * 1_024;

const textOf = async (file: string, what: string): Promise<string> => {
  const bytes = await readFile(file).catch((error: unknown) => { throw new ClientProblem(`${what} ${file} cannot be read: ${error instanceof Error && "code" in error ? String(error.code) : String(error)}`, `name a file that is there`); });
  if (bytes.length > mostBytes) throw new ClientProblem(`${what} ${file} is too large`, "name another file");
  return bytes.toString("utf8");
};

export const verify: ReceiptTools["verify"] = async ({ file, key, against, ...place }) => {
  const text = await textOf(file, "the receipt");
  const wanted = async (): Promise<Wanted> => {
    if (key !== null) return "keyid" in key ? key : { key: keyFromPem(await textOf(key.pem, "the key"), key.pem) };
    const { stateDirectory } = await settingFor(place), own = await readKey(stateDirectory);
    if (own === undefined) throw new ClientProblem(`${stateDirectory} has no key to verify it with`, "give the signer's public key with --key FILE, or its id with --keyid ID");
    return { key: own.public };
  };
  const checkup = verifyReceipt(text, await wanted().catch((error: unknown) => { throw asProblem(error, doctor); }));
  return against === null ? checkup : verifyAgainst(checkup, against).catch((error: unknown) => { throw asProblem(error, `name a git repository with --repository; ${against} cannot be read as one`); });
};
