/** Reads single tests out of what test runners print. A runner that is not known here still counts: by a fingerprint of its output. */
import { createHash } from "node:crypto";
import { stripVTControlCharacters } from "node:util";

export interface Tests { /** Stable names of what failed. */ readonly failed: readonly string[]; /** Names of tests that passed; `null` when this output does not name them. */ readonly passed: readonly string[] | null }

const plain = (text: string): string => stripVTControlCharacters(text).replaceAll("\r", "");

/** Takes out what changes from one run of the same code to the next: times, durations, addresses, temporary paths, line numbers, counts of milliseconds. */
export const scrub = (text: string): string => plain(text)
  .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, "TIME").replaceAll(/\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b/g, "TIME")
  .replaceAll(/\b\d+(?:\.\d+)?\s?(?:ms|µs|us|ns|s|sec|seconds|minutes?)\b/g, "DURATION").replaceAll(/duration_ms:? [\d.]+/g, "DURATION")
  .replaceAll(/\b0x[0-9a-fA-F]+\b/g, "HEX").replaceAll(/\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b/g, "HEX")
  .replaceAll(/(?:\/[^\s/:'"()]+)*\/(?=[^\s/:'"()]+)/g, "").replaceAll(/:\d+(?::\d+)?\b/g, ":N").replaceAll(/\bline \d+/gi, "line N").replaceAll(/\(\d+,\d+\)/g, "(N)").replaceAll(/\bpid[ =:]\d+/gi, "pid N")
  .replaceAll(/\bseed[ =:]+\d+/gi, "seed N").replaceAll(/[ \t]+/g, " ");

/** Tests nest by indentation; a name is its path from the top. */
class Path {
  readonly #open: { readonly indent: number; readonly name: string }[] = [];
  at(indent: number, name: string): string {
    while ((this.#open.at(-1)?.indent ?? -1) >= indent) this.#open.pop();
    return [...this.#open.map((level) => level.name), name].join(" > ");
  }
  enter(indent: number, name: string): void { this.at(indent, name); this.#open.push({ indent, name }); }
}

const tap = (lines: readonly string[]): Tests | undefined => {
  if (!lines.some((line) => /^TAP version 1[34]/.test(line))) return undefined;
  const failed: string[] = [], passed: string[] = [];
  const path = new Path(), parents = new Set<string>();
  for (const line of lines) {
    const subtest = /^(\s*)# Subtest: (.*)$/.exec(line);
    if (subtest !== null) { path.enter((subtest[1] ?? "").length, subtest[2] ?? ""); continue; }
    const point = /^(\s*)(not ok|ok) \d+(?: - (.*?))?(\s# (?:SKIP|TODO)\b.*)?$/i.exec(line);
    if (point === null) continue;
    const name = path.at((point[1] ?? "").length, point[3] ?? "");
    const parent = name.slice(0, Math.max(name.lastIndexOf(" > "), 0));
    if (parent !== "") parents.add(parent);
    if (point[4] !== undefined) continue;
    (point[2] === "ok" ? passed : failed).push(name);
  }
  // A group fails because a test in it does; the test says more.
  return { failed: failed.filter((name) => !parents.has(name) || !failed.some((other) => other.startsWith(`${name} > `))), passed };
};

const nodeSpec = (lines: readonly string[]): Tests | undefined => {
  const end = lines.findIndex((line) => line.startsWith("✖ failing tests:"));
  const body = end < 0 ? lines : lines.slice(0, end);
  if (!lines.some((line) => /^ℹ tests \d+/.test(line))) return undefined;
  const failed: string[] = [], passed: string[] = [];
  const path = new Path();
  const parents = new Set<string>();
  for (const line of body) {
    const group = /^(\s*)▶ (.*?)(?: \([\d.]+ms\))?$/.exec(line);
    if (group !== null) { path.enter((group[1] ?? "").length, group[2] ?? ""); continue; }
    const point = /^(\s*)([✔✖]) (.*?) \([\d.]+ms\)(?: # .*)?$/.exec(line);
    if (point === null) continue;
    const indent = (point[1] ?? "").length;
    const name = path.at(indent, point[3] ?? "");
    const parent = name.slice(0, Math.max(name.lastIndexOf(" > "), 0));
    if (parent !== "") parents.add(parent);
    if (/ # (?:SKIP|TODO)/i.test(line)) continue;
    (point[2] === "✔" ? passed : failed).push(name);
  }
  return { failed: failed.filter((name) => !parents.has(name) || !failed.some((other) => other.startsWith(`${name} > `))), passed };
};

const vitestOrJest = (lines: readonly string[]): Tests | undefined => {
  if (!lines.some((line) => /^\s*(?:Test Files|Test Suites:|Tests:?)\s+.*\d/.test(line))) return undefined;
  const failed = lines.flatMap((line) => {
    const fail = /^\s*(?:FAIL|❯ FAIL)\s+(?:\|[^|]*\| ?)?(\S.*? > .*)$/.exec(line) ?? /^\s*FAIL\s+(\S+)\s*(?:\[.*\])?$/.exec(line) ?? /^\s*● (.+ › .+)$/.exec(line);
    return fail?.[1] === undefined ? [] : [fail[1].trim()];
  });
  const passed = lines.flatMap((line) => { const ok = /^\s+[✓√] (.*?)(?: \(?[\d.]+ ?m?s\)?)?$/.exec(line); return ok?.[1] === undefined || /\(\d+ tests?\)/.test(ok[1]) ? [] : [ok[1].trim()]; });
  const named = failed.filter((name) => name.includes(" > ") || name.includes(" › "));
  return { failed: named.length > 0 ? [...named, ...failed.filter((name) => !named.includes(name) && !named.some((other) => other.startsWith(name)))] : failed, passed: passed.length > 0 ? passed : null };
};

const pytest = (lines: readonly string[]): Tests | undefined => {
  if (!lines.some((line) => /^=+ (?:test session starts|short test summary info|.*(?:passed|failed|error).*) ?.*=*$/.test(line) || /^(?:\d+ (?:passed|failed|errors?)(?:, )?)+.* in [\d.]+s/.test(line))) return undefined;
  const named = (word: string) => lines.flatMap((line) => { const hit = new RegExp(`^(?:${word}) (\\S+?)(?: - .*)?$`).exec(line); return hit?.[1] === undefined ? [] : [hit[1]]; });
  return { failed: named("FAILED|ERROR"), passed: named("PASSED") };
};

const cargo = (lines: readonly string[]): Tests | undefined => {
  if (!lines.some((line) => /^running \d+ tests?$/.test(line))) return undefined;
  const failed: string[] = [], passed: string[] = [];
  let target = "";
  for (const line of lines) {
    target = /^\s*(?:Running (?:unittests )?(\S+)|Doc-tests (\S+))/.exec(line)?.slice(1).find((part) => part !== undefined) ?? target;
    const hit = /^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED)\b/.exec(line);
    if (hit?.[1] !== undefined) (hit[2] === "ok" ? passed : failed).push(`${target} ${hit[1]}`);
  }
  return { failed, passed };
};

const go = (lines: readonly string[]): Tests | undefined => {
  if (!lines.some((line) => /^(?:ok|FAIL|---)\s/.test(line)) || !lines.some((line) => /^(?:ok  |FAIL)\t\S+/.test(line))) return undefined;
  const failed: string[] = [], passed: string[] = [];
  let waiting: { readonly name: string; readonly ok: boolean }[] = [];
  for (const line of lines) {
    const test = /^\s*--- (PASS|FAIL): (\S+)/.exec(line);
    if (test?.[2] !== undefined) { waiting.push({ name: test[2], ok: test[1] === "PASS" }); continue; }
    const end = /^(ok  |FAIL)\t(\S+)/.exec(line);
    if (end?.[2] === undefined) continue;
    for (const { name, ok } of waiting) (ok ? passed : failed).push(`${end[2]} ${name}`);
    if (end[1] === "FAIL" && !waiting.some(({ ok }) => !ok)) failed.push(`${end[2]} (package)`);
    waiting = [];
  }
  return { failed: failed.filter((name) => !failed.some((other) => other.startsWith(`${name}/`))), passed };
};

/** `file:line:column: message` of compilers and linters, without the line. */
const diagnostics = (lines: readonly string[]): Tests | undefined => {
  const failed = lines.flatMap((line) => {
    const hit = /^([\w@.][\w@./-]*\.\w+)(?:\(\d+,\d+\)|:\d+(?::\d+)?):?(?: -)? (.*\S)$/.exec(line);
    return hit === null ? [] : [`${hit[1] ?? ""}: ${scrub(hit[2] ?? "")}`];
  });
  return failed.length === 0 ? undefined : { failed, passed: null };
};

/** The second of two equal names is another failure: `name #2`. */
const counted = (names: readonly string[]): readonly string[] => {
  const seen = new Map<string, number>();
  return names.map((name) => { const n = (seen.get(name) ?? 0) + 1; seen.set(name, n); return n === 1 ? name : `${name} #${n}`; });
};

/** Output is hostile: the patterns above meet no line longer than this, and no more text than this. Characters. */
const lineLimit = 500, textLimit = 524_288;

const linesOf = (text: string): readonly string[] => text.split("\n").map((line) => line.length > lineLimit ? line.slice(0, lineLimit) : line);

const fingerprint = (output: string): string => {
  const text = output.length > textLimit ? `${output.slice(0, textLimit / 2)}\n${output.slice(-textLimit / 2)}` : output;
  const hash = createHash("sha256");
  for (const line of plain(text).split("\n")) for (let at = 0; at === 0 || at < line.length; at += lineLimit) hash.update(`${scrub(line.slice(at, at + lineLimit))}\n`);
  return hash.digest("hex").slice(0, 12);
};

/** What one run says about single tests. `ok`: the command ended with 0; then nothing failed, whatever was printed. */
export const readTests = (output: string, ok: boolean): Tests => {
  const lines = linesOf(plain(output));
  const found = [tap, nodeSpec, pytest, cargo, go, vitestOrJest].map((read) => read(lines)).find((tests) => tests !== undefined);
  const passed = found?.passed == null ? null : counted(found.passed);
  if (ok) return { failed: [], passed };
  const failed = found !== undefined && found.failed.length > 0 ? found.failed : diagnostics(lines)?.failed ?? [];
  if (failed.length > 0) return { failed: counted(failed).map((name) => name.slice(0, 300)), passed };
  return { failed: [`output ${fingerprint(output)}`], passed };
};
