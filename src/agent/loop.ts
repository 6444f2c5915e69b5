/**
 * The loop of one turn: steps the chart `responses-turn`, and does what it names.
 *
 * Owns: the state of the chart, the request and the tools under way, the outputs that wait to be kept. Talks to: the provider, the tools, the log of the
 * session, whoever reads the lines. I1 Nothing is decided here: what follows what is the chart's. I2 Every line that is emitted is of something that is in the
 * log, or is no more than a sign of life. I3 Of what the model says, only a whole answer counts. I4 After `abort` nothing is awaited that could hang.
 */
import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { z } from "zod";
import { type RequestPhase, type ResponsesTurnEvent, responsesTurnMachine } from "../../machines/responses-turn.ts";
import { AgentFailure } from "../domain/agent.ts";
import { noUsage, type Usage } from "../domain/spend.ts";
import type { AgentWords } from "../prompts/agent-words.ts";
import { conversationOf, elided } from "./conversation.ts";
import { type AnswerItem, asksIn, type Call, callsIn, textOf, told, withoutThoughts, wordsIn } from "./item.ts";
import { modelFacts, tokensIn } from "./model.ts";
import type { AgentLine } from "./protocol.ts";
import type { Asked, Provider, Reply } from "./provider.ts";
import type { SessionLog } from "./session-log.ts";
import type { Settings } from "./settings.ts";
import type { StopHook } from "./stop-hook.ts";
import { type Bench, type Done, planToolName, type Tool, toolNames } from "./tools/index.ts";

export interface LoopParts {
  readonly settings: Settings;
  readonly model: string;
  readonly sessionId: string;
  readonly run: string;
  readonly prompt: string;
  /** What the project tells agents. */
  readonly notes: string;
  readonly words: AgentWords;
  readonly instructions: string;
  readonly works: boolean;
  readonly tools: readonly Tool[];
  readonly bench: Omit<Bench, "signal">;
  readonly log: SessionLog;
  readonly provider: Provider;
  /** Asked before a turn ends that says it is done. */
  readonly mayStop: StopHook | undefined;
  readonly emit: (line: AgentLine) => void;
  readonly now: () => number;
}

export type LoopEnd = { readonly how: "done"; readonly text: string } | { readonly how: "cancelled" } | { readonly how: "failed"; readonly failure: AgentFailure };

export interface Loop {
  readonly ended: Promise<LoopEnd>;
  readonly message: (id: string, text: string) => void;
  readonly interrupt: () => void;
}

type State = SnapshotFrom<typeof responsesTurnMachine>;

/** What the chart names for its program; XState tells their parameters as unknown. */
const Action = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ask"), params: z.object({ phase: z.enum(["plan", "work", "verify"]) }) }),
  z.object({ type: z.literal("act"), params: z.object({ calls: z.array(z.string()) }) }),
  z.object({ type: z.literal("keep"), params: z.object({ id: z.string() }) }),
  z.object({ type: z.literal("wait"), params: z.object({ ms: z.number(), failure: AgentFailure.nullable() }) }),
  z.object({ type: z.enum(["compact", "urge", "abort"]) }),
]);
type Action = z.infer<typeof Action>;
type Purpose = RequestPhase | "compact";

/** Milliseconds between two lines that say that an answer is still coming in. */
const aliveEveryMs = 5_000;
/** Tools that run at the same time. */
const mostTogether = 8;
/** Milliseconds that tools which are being ended may still take. */
const dyingMs = 2_000;
/** Characters of an output that a line carries; the log of the session has the rest. */
const lineOutput = 4_000;
/** Part of a wait that chance adds, so that many agents do not come back at one instant. */
const jitter = 0.2;

const sum = (a: Usage, b: Usage): Usage => ({ inputTokens: a.inputTokens + b.inputTokens, outputTokens: a.outputTokens + b.outputTokens, cachedTokens: a.cachedTokens + b.cachedTokens });
const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Begins a turn in an opened session. What the last run of it left unanswered is answered first. */
export const startLoop = ({ settings, model, sessionId, run, prompt, notes, words, instructions, works, tools, bench, log, provider, mayStop, emit, now }: LoopParts): Loop => {
  const facts = modelFacts(model, settings.window), byName = new Map(tools.map((tool) => [tool.name, tool]));
  // Names of sessions may be longer than a provider takes.
  const cacheKey = createHash("sha256").update(sessionId).digest("hex").slice(0, 32);
  const aborting = new AbortController(), ended = Promise.withResolvers<LoopEnd>();
  // Each tool and request listens to it.
  setMaxListeners(0, aborting.signal);
  const inbox: { readonly id: string; readonly text: string }[] = [];
  const outputs = new Map<string, Done>();
  let usage = noUsage, requests = 0, lastWords = "", shownModel = model, thoughts = facts.reasons, over = false;

  const begun = conversationOf(log.entries, words);
  for (const { call, begun: ran } of begun.open) log.append({ type: "output", id: call.call_id, ok: false, output: words.interrupted(ran) });
  log.append({ type: "turn", run, model, prompt, notes });

  /** Sends the conversation. The reply is noted, and what it used counted, whatever it is. */
  const request = async (purpose: Purpose, more: Pick<Asked, "items" | "tools" | "choice">): Promise<Reply> => {
    log.append({ type: "request", purpose, n: ++requests });
    let aliveAt = now();
    const reply = await provider.ask({ ...more, items: thoughts ? more.items : withoutThoughts(more.items), instructions, thoughts, cacheKey, model }, aborting.signal, () => {
      if (now() - aliveAt < aliveEveryMs) return;
      aliveAt = now();
      emit({ type: "alive" });
    });
    // A gateway may choose: its tokens have the price of the model that it took.
    if (reply.how === "answered" && reply.model !== "" && reply.model !== shownModel) {
      shownModel = reply.model;
      emit({ type: "session", sessionId, model: shownModel });
    }
    if (reply.usage !== null) {
      usage = sum(usage, reply.usage);
      emit({ type: "usage", usage });
    }
    return reply;
  };

  const troubled = (reply: Extract<Reply, { how: "troubled" }>): ResponsesTurnEvent => {
    const { trouble } = reply, { failure } = trouble;
    if (!aborting.signal.aborted) log.append({ type: "trouble", kind: failure.kind, message: "message" in failure ? failure.message : "", usage: reply.usage });
    if (trouble.thoughtless === true && thoughts) thoughts = false;
    else if (trouble.thoughtless === true) return { type: "troubled", trouble: "final", afterMs: null, failure };
    if (reply.cut === true) log.append({ type: "said", item: told("developer", words.cut) });
    return { type: "troubled", trouble: trouble.trouble, afterMs: trouble.afterMs, failure };
  };

  const show = (items: readonly AnswerItem[]): void => {
    for (const item of items) {
      if (item.type === "message" && textOf(item).trim() !== "") emit({ type: "text", text: textOf(item) });
      if (item.type === "reasoning") for (const { text } of item.summary) emit({ type: "thinking", text });
    }
  };

  const takeIn = (): void => {
    for (const { id, text } of inbox.splice(0)) {
      log.append({ type: "said", item: told("user", text), heard: id });
      emit({ type: "heard", id, text });
    }
  };

  const ask = async (phase: RequestPhase): Promise<ResponsesTurnEvent> => {
    const { items } = conversationOf(log.entries, words);
    const reply = await request(phase, { items, tools: tools.map(({ offer }) => offer), choice: phase === "plan" ? { tool: planToolName } : "auto" });
    if (reply.how === "troubled") return troubled(reply);
    log.append({ type: "answer", items: [...reply.items], usage: reply.usage });
    show(reply.items);
    lastWords = wordsIn(reply.items);
    const size = reply.usage === null ? tokensIn(JSON.stringify(conversationOf(log.entries, words).items)) : reply.usage.inputTokens + reply.usage.outputTokens;
    const event: ResponsesTurnEvent = { type: "answered", calls: callsIn(reply.items).map(({ call_id: id }) => id), asks: asksIn(lastWords), tokens: size };
    await askToStop(event);
    return event;
  };

  /** Who may not stop yet is told why, as a message that came meanwhile. */
  const askToStop = async (event: ResponsesTurnEvent): Promise<void> => {
    if (mayStop === undefined || !transition(responsesTurnMachine, state, event)[0].matches("done")) return;
    const reason = await mayStop(lastWords, aborting.signal);
    if (reason === undefined || over) return;
    log.append({ type: "said", item: told("user", reason) });
    emit({ type: "note", text: `it may not stop yet: ${reason}` });
    send({ type: "message" });
  };

  const compact = async (): Promise<ResponsesTurnEvent> => {
    const { items } = conversationOf(log.entries, words), before = tokensIn(JSON.stringify(items));
    const reply = await request("compact", { items: [...elided(items, facts.budget), told("developer", words.compaction)], tools: tools.map(({ offer }) => offer), choice: "none" });
    if (reply.how === "troubled") return troubled(reply);
    const text = wordsIn(reply.items);
    if (text === "") return { type: "troubled", trouble: "again", afterMs: null, failure: { kind: "noResult", message: "the model did not sum up its conversation" } };
    log.append({ type: "summary", text, usage: reply.usage });
    const after = tokensIn(JSON.stringify(conversationOf(log.entries, words).items));
    emit({ type: "compacted", from: before, to: after });
    return { type: "compacted", tokens: after };
  };

  const urge = async (): Promise<void> => {
    const changes = bench.shelf.shown(await bench.commands.changes());
    if (!over) log.append({ type: "said", item: told("user", words.verification(changes)) });
  };

  const perform = async (call: Call): Promise<void> => {
    const { call_id: id, name } = call, tool = byName.get(name), kind = tool?.kind ?? "other";
    const { summary, diff } = tool?.about(call.arguments) ?? { summary: "", diff: undefined };
    log.append({ type: "call", id });
    emit({ type: "tool", phase: "start", id, name, kind, summary, ...(diff === undefined ? {} : { diff: { ...diff, removed: [...diff.removed], added: [...diff.added] } }) });
    const done: Done = tool === undefined ? { ok: false, output: `There is no tool ${name} in this turn.`, ...(toolNames.has(name) ? { denied: "there is no such tool in this turn" } : {}) } : await tool.call(call.arguments, { ...bench, signal: aborting.signal });
    if (over) return;
    outputs.set(id, done);
    send({ type: "output", id, changed: done.changed === true, tokens: tokensIn(done.output) });
    if (done.denied !== undefined) emit({ type: "denied", tool: name, detail: done.denied });
    emit({ type: "tool", phase: "end", id, name, kind, ok: done.ok, output: done.output.length > lineOutput ? `…${done.output.slice(1 - lineOutput).toWellFormed()}` : done.output });
  };

  /** In the order of the calls; those that only look run together. */
  const act = async (ids: readonly string[]): Promise<void> => {
    const calls = conversationOf(log.entries, words).open.map(({ call }) => call).filter((call) => ids.includes(call.call_id));
    let together: Promise<void>[] = [];
    for (const call of calls) {
      if (over) return;
      if (byName.get(call.name)?.parallel === true && together.length < mostTogether) { together.push(perform(call)); continue; }
      await Promise.all(together);
      together = byName.get(call.name)?.parallel === true ? [perform(call)] : [];
      if (together.length === 0) await perform(call);
    }
    await Promise.all(together);
  };

  let urging: Promise<void> = Promise.resolve(), acting: Promise<void> = Promise.resolve();
  const crash = (error: unknown): void => finish({ how: "failed", failure: { kind: "crashed", exitCode: null, signal: null, message: errorText(error) } });
  const answer = (work: Promise<ResponsesTurnEvent>): void => void work.then((event) => send(event), crash);
  let timer: NodeJS.Timeout | undefined;

  const execute = (action: Action): void => {
    switch (action.type) {
      case "ask": {
        takeIn();
        const { phase } = action.params;
        answer(urging.then(() => ask(phase)));
        return;
      }
      case "act": acting = act(action.params.calls).catch(crash); return;
      case "keep": {
        const done = outputs.get(action.params.id);
        if (done === undefined) throw new Error(`the output of ${String(action.params.id)} is lost`);
        outputs.delete(action.params.id);
        log.append({ type: "output", id: action.params.id, ok: done.ok, output: done.output });
        return;
      }
      case "compact": answer(urging.then(() => compact())); return;
      case "urge": urging = urge(); return;
      case "wait": {
        const ms = Math.ceil(action.params.ms * (1 + Math.random() * jitter)), { failure } = action.params;
        const why = failure !== null && "message" in failure ? failure.message : "";
        emit({ type: "waits", limited: failure?.kind === "rateLimited" || failure?.kind === "overloaded", until: now() + ms, message: `${why}; next try in ${Math.ceil(ms / 1_000)} s` });
        timer = setTimeout(() => send({ type: "due" }), ms);
        return;
      }
      case "abort":
        clearTimeout(timer);
        aborting.abort();
    }
  };

  const finish = (end: LoopEnd): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    aborting.abort();
    // A disk without room must not keep the turn from ending.
    try { log.append({ type: "end", how: end.how }); } catch { /* What went before is kept. */ }
    void Promise.race([acting, sleep(dyingMs)]).then(() => ended.resolve(end));
  };

  let state: State;
  const adopt = (next: State, actions: readonly { readonly type: string; readonly params?: unknown }[]): void => {
    state = next;
    try {
      for (const { type, params } of actions) execute(Action.parse({ type, params }));
    } catch (error) {
      return crash(error);
    }
    if (next.status === "active") return;
    if (next.matches("done")) finish({ how: "done", text: lastWords });
    else if (next.matches("cancelled")) finish({ how: "cancelled" });
    else finish({ how: "failed", failure: next.context.failure ?? { kind: "noResult", message: "the turn ended without a reason" } });
  };
  const send = (event: ResponsesTurnEvent): void => {
    // A final state absorbs everything; XState itself lets handlers of the root move it on.
    if (over || state.status !== "active") return;
    adopt(...transition(responsesTurnMachine, state, event));
  };
  const { caps, backoff } = settings;
  const [first, actions] = initialTransition(responsesTurnMachine, { caps, budget: facts.budget, backoff, works });
  state = first;
  adopt(first, actions);

  return {
    ended: ended.promise,
    message: (id, text) => {
      if (over) return;
      inbox.push({ id, text });
      send({ type: "message" });
    },
    interrupt: () => send({ type: "interrupt" }),
  };
};
