/**
 * Plays the steps of one turn.
 * Owns the turn's running totals. Talks to the world only through `Stage`: its lines, its directory, its messages.
 * I1 A step that ends the turn is the last one played. I2 Nothing outside `cwd` is read or written, and nothing is written in a read-only
 * turn, unless the step says `escape`.
 */
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ToolDiff } from "../../domain/agent.ts";
import type { Usage } from "../../domain/spend.ts";
import { toolDiff } from "../../domain/tool-diff.ts";
import { confined } from "./confine.ts";
import type { Step } from "./playbook.ts";
import type { AgentLine } from "./protocol.ts";
import type { Session } from "./session-file.ts";

export interface PlayerParts {
  readonly cwd: string;
  readonly readOnly: boolean;
  /** Where `wait-for-file` and `touch` look: beside the playbook. */
  readonly beside: string;
  readonly pace: number;
  readonly cumulative: boolean;
  readonly carried: Session;
  /** The session's totals have changed. */
  readonly remember: (session: Session) => void;
  readonly emit: (line: AgentLine) => void;
  /** Bytes as they are, for everything that is no proper line. */
  readonly raw: (text: string) => void;
  readonly interrupted: AbortSignal;
  readonly nextMessage: () => Promise<{ readonly id: string; readonly text: string }>;
  /** Stops listening altogether, as a hung process does. */
  readonly deafen: () => void;
}

/** How the process ends: with its result, or by an exit code or signal without one. */
export type PlayEnd = { readonly how: "result"; readonly text: string } | { readonly how: "exit"; readonly code: number } | { readonly how: "signal"; readonly signal: NodeJS.Signals };

/** Milliseconds that a step takes at pace 1. */
const naturalMs = { speech: 400, tool: 600 } as const;
const filePollMs = 25;
/** Microseconds of CPU between two pauses of `burn`. */
const burnSliceUs = 20_000;
/** Microseconds of CPU that this process has used. */
const cpuUs = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
/** An orphan that nobody sweeps ends by itself after ten minutes. */
const orphanLifeMs = 600_000;
const outputTail = 2_000;

export const play = async (steps: readonly Step[], parts: PlayerParts): Promise<PlayEnd> => {
  const { emit, raw, cwd, interrupted } = parts;
  let toolCalls = 0;
  let lastWords = "Done.";
  let result: string | undefined;
  let usd = 0;
  const usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0 };

  const pause = (ms: number): Promise<unknown> => (ms > 0 ? sleep(ms, undefined, { signal: interrupted }) : Promise.resolve());
  const speech = (): Promise<unknown> => pause(naturalMs.speech * parts.pace);

  const plus = (one: Usage, two: Usage): Usage => ({ inputTokens: one.inputTokens + two.inputTokens, outputTokens: one.outputTokens + two.outputTokens, cachedTokens: one.cachedTokens + two.cachedTokens });
  const report = (what: "usage" | "cost"): void => {
    const { carried, cumulative } = parts;
    const session = { turns: carried.turns, usd: carried.usd + usd, usage: plus(carried.usage, usage) };
    const of = cumulative ? "session" : "run";
    if (what === "usage") emit({ type: "usage", of, usage: cumulative ? session.usage : { ...usage } });
    else emit({ type: "cost", of, usd: cumulative ? session.usd : usd });
    parts.remember(session);
  };

  /** A tool call on the stream: start, the work, end. What it throws is its failure, not the agent's. */
  const tool = async (name: "read" | "write" | "patch" | "run", summary: string, work: () => Promise<string> | string, diff?: ToolDiff): Promise<void> => {
    const id = `tool-${++toolCalls}`;
    emit({ type: "tool", phase: "start", id, name, summary, ...(diff === undefined ? {} : { diff: { ...diff, removed: [...diff.removed], added: [...diff.added] } }) });
    await pause(naturalMs.tool * parts.pace);
    try {
      emit({ type: "tool", phase: "end", id, name, summary, ok: true, output: (await work()).slice(-outputTail) });
    } catch (cause) {
      if (interrupted.aborted) throw cause;
      emit({ type: "tool", phase: "end", id, name, summary, ok: false, output: cause instanceof Error ? cause.message : String(cause) });
    }
  };

  const place = (name: string, file: string, escape: boolean, writes: boolean): string => {
    const refuse = (detail: string): never => {
      emit({ type: "denied", tool: name, detail });
      throw new Error(detail);
    };
    if (escape) return resolve(cwd, file);
    if (writes && parts.readOnly) return refuse(`${file}: this turn may not write`);
    return confined(cwd, file) ?? refuse(`${file} leads out of the working directory`);
  };

  const edit = (name: "write" | "patch", file: string, escape: boolean, diff: ToolDiff, change: (path: string) => string): Promise<void> =>
    tool(name, file, () => change(place(name, file, escape, true)), diff);

  const write = (file: string, text: string, append: boolean, escape: boolean): Promise<void> => edit("write", file, escape, toolDiff(file, "", text), (path) => {
    mkdirSync(dirname(path), { recursive: true });
    if (append) appendFileSync(path, text);
    else writeFileSync(path, text);
    return `${Buffer.byteLength(text)} bytes`;
  });

  const run = (argv: readonly string[], timeoutMs: number): Promise<void> => tool("run", argv.join(" "), async () => {
    const { execa } = await import("execa");
    const [program = "", ...rest] = argv;
    const done = await execa(program, rest, { cwd, stdin: "ignore", all: true, reject: false, timeout: timeoutMs, cancelSignal: interrupted, maxBuffer: 1_000_000 });
    if (done.failed) throw new Error(`${done.shortMessage}\n${done.all}`.slice(-outputTail));
    return done.all;
  });

  const flood = (bytes: number, as: "text" | "garbage" | "line"): void => {
    const block = "flood ".repeat(170);
    let left = bytes;
    while (left > 0) {
      const text = block.slice(0, left);
      if (as === "text") emit({ type: "text", text });
      else raw(as === "line" ? text : `${text}\n`);
      left -= text.length;
    }
    if (as === "line") raw("\n");
  };

  const orphan = (): Promise<void> => {
    // Its own session, deaf to polite signals: only a sweep by run id finds it.
    const code = `for(const s of ["SIGINT","SIGTERM","SIGHUP"])process.on(s,()=>{});process.send?.("up");process.disconnect?.();setTimeout(()=>{},${orphanLifeMs})`;
    const child = spawn(process.execPath, ["-e", code], { detached: true, stdio: ["ignore", "ignore", "ignore", "ipc"] });
    return new Promise((started) => {
      child.once("error", () => started());
      child.once("message", () => {
        child.unref();
        emit({ type: "text", text: `left process ${child.pid} behind` });
        started();
      });
    });
  };

  const one = async (step: Step): Promise<PlayEnd | undefined> => {
    switch (step.verb) {
      case "session": return undefined; // Said before the first step.
      case "say":
        await speech();
        lastWords = step.say;
        emit({ type: "text", text: step.say });
        return undefined;
      case "think":
        await speech();
        emit({ type: "thinking", text: step.think });
        return undefined;
      case "read": await tool("read", step.read, () => readFileSync(place("read", step.read, step.escape, false), "utf8")); return undefined;
      case "write": await write(step.write, step.text, step.append, step.escape); return undefined;
      case "patch":
        await edit("patch", step.patch, step.escape, toolDiff(step.patch, step.find, step.replace), (path) => {
          const before = readFileSync(path, "utf8");
          // Played again after a crash, the work may be done already.
          if (!before.includes(step.find)) {
            if (step.replace !== "" && before.includes(step.replace)) return "already so";
            throw new Error(`${step.patch} does not contain ${JSON.stringify(step.find)}`);
          }
          writeFileSync(path, before.replace(step.find, () => step.replace));
          return "patched";
        });
        return undefined;
      case "run": await run(step.run, step["timeout-ms"]); return undefined;
      case "usage":
        usage.inputTokens += step.usage.input;
        usage.outputTokens += step.usage.output;
        usage.cachedTokens += step.usage.cached;
        report("usage");
        return undefined;
      case "cost":
        usd += step.cost;
        report("cost");
        return undefined;
      case "question":
        emit({ type: "question", text: step.question });
        return { how: "exit", code: 0 };
      case "verdict": emit({ type: "verdict", verdict: { decision: step.verdict, feedback: step.feedback, findings: step.findings } }); return undefined;
      case "malformed-verdict": raw(`${JSON.stringify({ type: "verdict", verdict: step["malformed-verdict"] })}\n`); return undefined;
      case "audit": emit({ type: "audit", audit: { findings: step.audit } }); return undefined;
      case "plan": emit({ type: "plan", plan: { tasks: [...step.plan] } }); return undefined;
      case "criteria": emit({ type: "criteria", criteria: { criteria: [...step.criteria] } }); return undefined;
      case "tell": emit({ type: "message", message: { to: step.tell, text: step.text } }); return undefined;
      case "result": result = step.result; return undefined;
      case "deny": emit({ type: "denied", tool: step.deny, detail: step.detail }); return undefined;
      case "rate-limit": emit({ type: "rateLimit", until: Date.now() + step["rate-limit"], message: step.message }); return undefined;
      case "fail":
        emit({ type: "error", kind: step.fail, message: step.message, until: step["retry-after-ms"] === undefined ? null : Date.now() + step["retry-after-ms"] });
        return { how: "exit", code: 1 };
      case "sleep": await pause(step.sleep); return undefined;
      case "burn": {
        const until = cpuUs() + step.burn * 1_000;
        // A pause that costs a millisecond must not be most of it: signals are heard every few milliseconds of work.
        while (cpuUs() < until && !interrupted.aborted) {
          const pauseAt = Math.min(until, cpuUs() + burnSliceUs);
          while (cpuUs() < pauseAt);
          await sleep(0);
        }
        return undefined;
      }
      case "wait-for-file":
        while (!existsSync(resolve(parts.beside, step["wait-for-file"]))) await pause(filePollMs);
        return undefined;
      case "touch": writeFileSync(resolve(parts.beside, step.touch), "", { flag: "a" }); return undefined;
      case "listen": {
        const { id, text } = await parts.nextMessage();
        if (id !== "") emit({ type: "heard", id, text });
        emit({ type: "text", text: `heard: ${text}` });
        return undefined;
      }
      case "crash": return typeof step.crash === "number" ? { how: "exit", code: step.crash } : { how: "signal", signal: step.crash };
      case "hang":
        parts.deafen();
        return new Promise<never>(() => void setInterval(() => undefined, 1 << 30));
      case "ignore":
        for (const signal of step.ignore) process.on(signal, () => undefined);
        return undefined;
      case "orphan": await orphan(); return undefined;
      case "flood": flood(step.flood, step.as); return undefined;
      case "garbage": raw(`${step.garbage}\n`); return undefined;
      case "half-line":
        raw('{"type":"text","te');
        return { how: "exit", code: step["half-line"] };
      case "no-result": return { how: "exit", code: 0 };
      case "oscillate":
        for (let n = 0; n < step.times; n++) await write(step.oscillate, n % 2 === 0 ? step.a : step.b, false, false);
        return undefined;
      case "repeat":
        for (let n = 0; n < step.repeat; n++) {
          const end = await all(step.steps);
          if (end) return end;
        }
        return undefined;
    }
  };

  const all = async (list: readonly Step[]): Promise<PlayEnd | undefined> => {
    for (const step of list) {
      interrupted.throwIfAborted();
      const end = await one(step);
      if (end) return end; // I1
    }
    return undefined;
  };

  return (await all(steps)) ?? { how: "result", text: result ?? lastWords };
};
