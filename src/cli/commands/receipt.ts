/** `receipt …`: the signed receipt of an item, a look at one, and the key for that. */
import { writeFileSync } from "node:fs";
import { ClientProblem } from "../../client/contract.ts";
import type { ReceiptTools } from "../../client/local-tools.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { findingsText, type Receipt, Statement } from "../../domain/receipt.ts";
import { costText } from "../../domain/spend.ts";
import { type Command, type CommandContext, itemId, itemState, printJson, reading } from "../context.ts";
import { pathFrom } from "../place.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { paint } from "../screen.ts";

export interface ShowOptions { readonly id?: string; readonly output?: string }

/** The envelope on standard output, or in a file with a summary of it. */
export const show: Command<ShowOptions> = (context, { id: given, output }) => {
  if (given === undefined) throw new CliProblem("Whose receipt?", "enact-factory receipt ID; `enact-factory task list` shows the ids.");
  const id = itemId(given);
  return reading(context, async (client) => {
    const { item } = await itemState(client, id);
    const envelope = await client.receipt(item.id);
    const text = `${JSON.stringify(envelope)}\n`;
    if (output === undefined) {
      context.terminal.out.write(text);
      return exitCode.ok;
    }
    const file = pathFrom(context.place, output, context.terminal);
    try {
      writeFileSync(file, text, { flag: "wx" });
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      throw new CliProblem(code === "EEXIST" ? `${file} exists already; nothing was written.` : `${file} cannot be written: ${code}.`, "Name another file with --output FILE.");
    }
    const { predicate } = Statement.parse(JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8")));
    const keyid = envelope.signatures[0]?.keyid ?? "";
    if (context.json) printJson(context, { id: item.id, file, keyid });
    else context.terminal.out.write(`Wrote ${oneLine(file)}, signed by ${keyid}\n${told(context, predicate)}`);
    return exitCode.ok;
  });
};

/** What a receipt tells, in a few lines. */
const told = ({ terminal: { out } }: CommandContext, { item, change, published, approvals, checks, verdicts, rules, turns, total, warnings }: Receipt): string => {
  const sides = (side: Receipt["checks"]["base"]): string => `${side.filter(({ status }) => status === "passed").length}/${side.length}`;
  const runners = [...new Set(turns.filter(({ used }) => used !== null).map(({ adapter, model, cliVersion }) => [adapter, cliVersion, model].filter((part) => part !== null).join(" ")))];
  const rows: readonly (readonly [string, string])[] = [
    ["item", `${item.id} ${item.title}`],
    ["change", `${change.base.slice(0, 12)}..${change.head.slice(0, 12)} on ${change.branch}, published to ${published.where} at ${published.at}`],
    ["checks", `before ${sides(checks.base)}, at the end ${sides(checks.head)}; sandbox ${checks.sandbox}`],
    ...verdicts.map(({ by, decision, findings }) => ["verdict", `${by}: ${decision}${findingsText(findings) === "" ? "" : `, ${findingsText(findings)}`}`] as const),
    ...rules.map(({ kind, rule, says }) => ["rule", `${kind} ${rule}: ${says}`] as const),
    ...approvals.map(({ what, by, reason }) => ["approved", `to ${what} by ${by === "person" ? "a person" : "automation"}${reason === null ? "" : `: ${reason}`}`] as const),
    ["turns", `${turns.length} by ${runners.join("; ") || "nobody"}`],
    ["cost", costText(total.cost)],
    ...warnings.map((text) => ["warning", text] as const),
  ];
  return rows.map(([name, value]) => `  ${paint(out, "dim", name.padEnd(9))}${oneLine(value)}\n`).join("");
};

export interface VerifyOptions { readonly file: string; readonly key?: string; readonly keyid?: string; readonly repository?: string }

/** Exit 0: it holds; 1: it does not, and why; 2: it could not be looked at. */
export const verify: Command<VerifyOptions> = async (context, options) => {
  const absolute = (path: string): string => pathFrom(context.place, path, context.terminal);
  if (options.key !== undefined && options.keyid !== undefined) throw new CliProblem("A key and the id of a key are two answers to one question.", "Give --key FILE or --keyid ID.", exitCode.notRun);
  if (options.keyid !== undefined && !/^[0-9a-fA-F]{64}$/.test(options.keyid)) throw new CliProblem(`${JSON.stringify(options.keyid.slice(0, 80))} is no key id.`, "It has 64 hexadecimal digits; the signer's `enact-factory receipt key --json` prints it.", exitCode.notRun);
  const key: Parameters<ReceiptTools["verify"]>[0]["key"] = options.key !== undefined ? { pem: absolute(options.key) } : options.keyid !== undefined ? { keyid: options.keyid.toLowerCase() } : null;
  const checkup = await context.tools.receipts.verify({ ...context.place, file: absolute(options.file), key, against: options.repository === undefined ? null : absolute(options.repository) })
    .catch((error: unknown) => { throw error instanceof ClientProblem ? new CliProblem(error.message, error.next, exitCode.notRun) : error; });
  const { out } = context.terminal;
  if (context.json) printJson(context, checkup);
  else if (checkup.verified) out.write(`${paint(out, "green", "verified")}: signed by ${checkup.keyid}${checkup.repository ? ", and the repository has what it tells of" : "; the repository was not looked at (--repository)"}\n${told(context, checkup.statement.predicate)}`);
  else out.write(`${paint(out, "red", "not verified")} (${reasons[checkup.why]}): ${oneLine(checkup.detail)}\n`);
  return checkup.verified ? exitCode.ok : exitCode.failed;
};

const reasons = { malformed: "payload malformed", unknownKey: "unknown key", signature: "signature", commitMissing: "commit missing", history: "history does not fit" } as const;

export const key: Command<object> = async (context) => {
  const { keyid, pem } = await context.tools.receipts.publicKey(context.place);
  if (context.json) printJson(context, { keyid, pem });
  else {
    context.terminal.out.write(pem);
    context.terminal.err.write(`${paint(context.terminal.err, "dim", `key id ${keyid}`)}\n`);
  }
  return exitCode.ok;
};
