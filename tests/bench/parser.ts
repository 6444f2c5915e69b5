// 100 MB of each CLI's output through its reader, against a split at newlines and JSON.parse of the same bytes; rounds alternate, each in a process of its own. The output is the
// recorded turn (`fixtures/CLI/edit.jsonl`) again and again between its first and last line, with tool calls of their own and now and then one that prints a file of 30 KB; cursor's
// as its documentation shows it. `BENCH_MB` sets another size. Not measured: reading a disk, the stream from a run that still writes.
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync, closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { working } from "../adapters/cursor/streams.ts";
import { bundle } from "./bundle.ts";
import { type Figure, median, report } from "./figure.ts";

const Read = z.object({ ms: z.number(), cpuMs: z.number(), lines: z.number(), events: z.number(), mb: z.number(), rssMb: z.number() });
type Read = z.infer<typeof Read>;
const bytes = Number(process.env["BENCH_MB"] ?? 100) * 2 ** 20, rounds = 3;
const modes = ["bare", "reader", "turn"] as const;
type Mode = (typeof modes)[number];

const recorded = (cli: string): readonly string[] => readFileSync(join(import.meta.dirname, "..", "..", "fixtures", cli, "edit.jsonl"), "utf8").trimEnd().split("\n");
/** A long output in the place of the first that the recording has. */
const printed = "a line of a file that somebody printed, quite like any other\\n".repeat(500);
/** `ids`: what names a tool call there; `output`: the field that holds what it printed. */
const streams: Readonly<Record<string, { readonly lines: readonly string[]; readonly ids: RegExp; readonly output: RegExp }>> = {
  claude: { lines: recorded("claude"), ids: /toolu_|msg_/g, output: /(?<="tool_result","content":")/ },
  codex: { lines: recorded("codex"), ids: /"item_/g, output: /(?<="aggregated_output":")(?=[^"])/ },
  opencode: { lines: recorded("opencode"), ids: /call_|msg_|prt_/g, output: /(?<="output":")/ },
  cursor: { lines: working, ids: /toolu_/g, output: /(?<="content":")(?=# Project)/ },
};

const write = (file: string, { lines, ids, output }: (typeof streams)[string]): void => {
  const [first = "", ...rest] = lines, last = rest.pop() ?? "";
  const fd = openSync(file, "w");
  let written = writeSync(fd, `${first}\n`);
  for (let n = 0; written < bytes; n++) {
    const text = rest.map((line) => line.replaceAll(ids, (id) => `${id}${n}_`));
    const at = n % 20 === 0 ? text.findIndex((line) => output.test(line)) : -1;
    written += writeSync(fd, `${text.map((line, where) => (where === at ? line.replace(output, printed) : line)).join("\n")}\n`);
  }
  writeSync(fd, `${last}\n`);
  closeSync(fd);
};

const driver = await bundle("parser-driver.ts");
const root = mkdtempSync(join(tmpdir(), "enact-bench-"));
try {
  const figures: Figure[] = [];
  for (const [cli, stream] of Object.entries(streams)) {
    const file = join(root, `${cli}.jsonl`);
    write(file, stream);
    const found: Record<Mode, Read[]> = { bare: [], reader: [], turn: [] };
    for (let round = 0; round < rounds; round++) for (const mode of modes) found[mode].push(Read.parse(JSON.parse((await execa(process.execPath, [driver, cli, mode, file], { stdin: "ignore", timeout: 300_000 })).stdout)));
    rmSync(file);
    const of = (mode: Mode, key: keyof Read): number => median(found[mode].map((each) => each[key]));
    const ratio = (mode: Mode): number => median(found[mode].map(({ cpuMs }, round) => cpuMs / (found.bare[round]?.cpuMs ?? Number.NaN)));
    figures.push(
      { what: `${cli}: lines cut and read`, value: of("reader", "mb") / (of("reader", "cpuMs") / 1_000), unit: "MB a CPU second", ratio: { of: ratio("reader"), to: `the CPU of split and JSON.parse, ${(of("bare", "mb") / (of("bare", "cpuMs") / 1_000)).toFixed(0)} MB/s` }, note: `${of("reader", "lines")} lines of ${Math.round((of("reader", "mb") * 2 ** 20) / of("reader", "lines"))} bytes, ${of("reader", "events")} events; memory ${of("reader", "rssMb").toFixed(0)} MB, bare ${of("bare", "rssMb").toFixed(0)} MB` },
      { what: "  and counted towards an outcome, secrets taken out", value: of("turn", "mb") / (of("turn", "cpuMs") / 1_000), unit: "MB a CPU second", ratio: { of: ratio("turn"), to: "the same" }, note: `memory ${of("turn", "rssMb").toFixed(0)} MB; ${((1_000 * (of("turn", "cpuMs") - of("reader", "cpuMs"))) / of("turn", "events")).toFixed(1)} µs an event` },
    );
  }
  report(figures);
} finally {
  rmSync(root, { recursive: true, force: true });
  rmSync(dirname(driver), { recursive: true, force: true });
}
