import type { AnyMachineSnapshot } from "xstate";
import type { AgentFailure } from "../../src/domain/agent.ts";
import { backoffMs } from "../../src/domain/policy.ts";
import type { Edge, Exploration, StepAction } from "../catalog.ts";
import type { ResponsesTurnContext, ResponsesTurnEvent, ResponsesTurnInput } from "../responses-turn.ts";
import { at, ignored, implies, same } from "./reading.ts";

const budget = 1_000, patienceMs = 60_000;
const input = (works: boolean, requests: number): ResponsesTurnInput => ({
  caps: { requests, retries: 2, compactions: 2, verifications: 2 }, budget, backoff: { retryBaseMs: 1_000, retryMaxMs: 8_000, patienceMs }, works,
});

const message = "it said so";
const limited: AgentFailure = { kind: "rateLimited", until: null, message }, broken: AgentFailure = { kind: "network", message }, refused: AgentFailure = { kind: "auth", message }, long: AgentFailure = { kind: "model", message };

const results: readonly ResponsesTurnEvent[] = [
  ...[[], ["a"], ["a", "b"]].flatMap((calls) => [10, budget + 1].map((tokens): ResponsesTurnEvent => ({ type: "answered", calls, asks: false, tokens }))),
  { type: "answered", calls: [], asks: true, tokens: budget },
  { type: "troubled", trouble: "again", afterMs: null, failure: broken },
  { type: "troubled", trouble: "again", afterMs: patienceMs, failure: limited },
  { type: "troubled", trouble: "again", afterMs: patienceMs + 1, failure: limited },
  { type: "troubled", trouble: "tooLong", afterMs: null, failure: long },
  { type: "troubled", trouble: "final", afterMs: null, failure: refused },
  ...["a", "b"].flatMap((id) => [false, true].map((changed): ResponsesTurnEvent => ({ type: "output", id, changed, tokens: 1 }))),
  { type: "output", id: "a", changed: false, tokens: budget + 1 },
  { type: "output", id: "never", changed: true, tokens: 1 },
  { type: "compacted", tokens: 20 },
  { type: "compacted", tokens: budget + 2 },
  { type: "due" },
];
const alphabet: readonly ResponsesTurnEvent[] = [...results, { type: "message" }, { type: "interrupt" }];

const contextOf = (snapshot: AnyMachineSnapshot): ResponsesTurnContext => snapshot.context;
const eventOf = (edge: Edge): ResponsesTurnEvent | undefined => alphabet.find((event) => event === edge.event);

const of = ({ actions }: Pick<Edge, "actions">, type: string): readonly StepAction[] => actions.filter((action) => action.type === type);
const named = (edge: Pick<Edge, "actions">): readonly string[] => edge.actions.map(({ type }) => type);
const does = (edge: Edge, ...types: readonly string[]): boolean => same(named(edge), types);

/** The state in which nothing is under way any more. */
const ended = ["done", "failed", "cancelled", "exhausted"] as const;

/** Where a turn goes that has something to ask: the context as it was when it left for there. */
const asksOn = (c: Pick<ResponsesTurnContext, "requests" | "compactions" | "compacted" | "tokens" | "caps" | "budget">): "exhausted" | "compacting" | "asking" =>
  c.requests >= c.caps.requests ? "exhausted" : c.tokens > c.budget && !c.compacted && c.compactions < c.caps.compactions ? "compacting" : "asking";
const goesOn = (e: Edge, c: ResponsesTurnContext): boolean => at(e.to, asksOn(c));

/** What an answer must lead to. */
const afterAnswer = (e: Edge, from: ResponsesTurnContext, event: Extract<ResponsesTurnEvent, { type: "answered" }>): boolean => {
  const to = contextOf(e.to), taken: ResponsesTurnContext = { ...from, tokens: event.tokens, compacted: false };
  if (event.calls.length > 0) return at(e.to, "acting") && same(to.open, event.calls) && does(e, "act") && same(of(e, "act")[0]?.params, { calls: event.calls }) && to.phase === "work";
  if (from.told) return goesOn(e, taken);
  if (event.asks) return at(e.to, "done");
  const owes = from.works && (from.verifications === 0 || (from.changed && from.verifications < from.caps.verifications));
  return owes ? goesOn(e, taken) && to.verifications === from.verifications + 1 && !to.changed && to.phase === "verify" && of(e, "urge").length === 1 : at(e.to, "done");
};

const afterTrouble = (e: Edge, from: ResponsesTurnContext, event: Extract<ResponsesTurnEvent, { type: "troubled" }>): boolean => {
  const to = contextOf(e.to);
  if (event.trouble === "again" && from.retries < from.caps.retries && (event.afterMs ?? 0) <= from.backoff.patienceMs) {
    const ms = Math.max(backoffMs(from.backoff, from.retries + 1), event.afterMs ?? 0);
    return at(e.to, "waiting") && to.retries === from.retries + 1 && does(e, "wait") && same(of(e, "wait")[0]?.params, { ms, failure: event.failure });
  }
  if (event.trouble === "tooLong" && at(e.from, "asking") && !from.compacted && from.compactions < from.caps.compactions) return at(e.to, "compacting") && does(e, "compact");
  return at(e.to, "failed") && same(to.failure, event.failure) && e.actions.length === 0;
};

/** In this state only these events mean anything, besides those that always do. */
const hears: Readonly<Record<string, readonly ResponsesTurnEvent["type"][]>> = { asking: ["answered", "troubled"], acting: ["output"], compacting: ["compacted", "troubled"], waiting: ["due"] };

export const exploration: Exploration = {
  inputs: [
    { name: "works", input: input(true, 5) }, { name: "works, few requests", input: input(true, 2) },
    { name: "reads", input: input(false, 4) }, { name: "reads, few requests", input: input(false, 2) },
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const { phase, requests, retries, compactions, verifications, open, unseen, changed, told, tokens, compacted, resuming, failure } = contextOf(snapshot);
    // On the way out nothing is counted any more.
    if (snapshot.status !== "active") return { verifications: verifications > 0, changed, unseen, told, failure: failure?.kind ?? null };
    return { phase, requests, retries, compactions, verifications, open: open.toSorted(), unseen, changed, told, full: tokens > budget, compacted, resuming };
  },
  restStates: [...ended],
  states: [
    { name: "I1 outputs are owed exactly while tools run", holds: (s) => (contextOf(s).open.length > 0) === at(s, "acting") || at(s, "cancelled") },
    { name: "I2 nothing is done that has not seen every output and every message", holds: (s) => implies(at(s, "done"), () => !contextOf(s).unseen && !contextOf(s).told && contextOf(s).open.length === 0) },
    { name: "I4 requests keep to their cap", holds: (s) => contextOf(s).requests <= contextOf(s).caps.requests },
    { name: "I4 retries in a row keep to their cap", holds: (s) => contextOf(s).retries <= contextOf(s).caps.retries },
    { name: "I4 compactions keep to their cap", holds: (s) => contextOf(s).compactions <= contextOf(s).caps.compactions },
    { name: "I4 verifications keep to their cap, and a turn that reads has none", holds: (s) => contextOf(s).verifications <= (contextOf(s).works ? contextOf(s).caps.verifications : 0) },
    { name: "failed and exhausted carry their failure; the others have none", holds: (s) => at(s, "failed", "exhausted") === (contextOf(s).failure !== null) },
    { name: "exhausted says that it was asked too often", holds: (s) => implies(at(s, "exhausted"), () => contextOf(s).failure?.kind === "noResult" && contextOf(s).requests === contextOf(s).caps.requests) },
    { name: "only a turn that works plans, before anything else", holds: (s) => implies(contextOf(s).phase === "plan", () => contextOf(s).works && contextOf(s).verifications === 0 && !contextOf(s).unseen) },
  ],
  first: [
    { name: "the first step asks the model once; for a plan when there is work to do", holds: (first) => at(first.to, "asking") && same(named(first), ["ask"]) && same(of(first, "ask")[0]?.params, { phase: contextOf(first.to).works ? "plan" : "work" }) && contextOf(first.to).requests === 1 },
  ],
  edges: [
    { name: "I6 an interrupt ends it from every state and stops what runs; nothing else does", holds: (e) => (e.from.status === "active" && e.event.type === "interrupt") === at(e.to, "cancelled") || at(e.from, "cancelled") },
    { name: "I6 what runs is stopped exactly then", holds: (e) => of(e, "abort").length === (at(e.to, "cancelled") && !at(e.from, "cancelled") ? 1 : 0) },
    { name: "I1 an output is kept exactly once, when it is owed", holds: (e) => {
      const event = eventOf(e), from = contextOf(e.from), to = contextOf(e.to);
      if (event?.type !== "output") return of(e, "keep").length === 0;
      const owed = at(e.from, "acting") && from.open.includes(event.id);
      if (!owed) return ignored(e);
      return same(of(e, "keep").map(({ params }) => params), [{ id: event.id }]) && same(to.open, from.open.filter((id) => id !== event.id)) && to.tokens === from.tokens + event.tokens && to.changed === (from.changed || event.changed) && to.unseen;
    } },
    { name: "I1 the model is asked only when nothing is owed, and only on entering the state that waits for it", holds: (e) => implies(of(e, "ask").length + of(e, "compact").length > 0, () => contextOf(e.to).open.length === 0 && e.actions.at(-1)?.type === (at(e.to, "asking") ? "ask" : "compact")) && of(e, "ask").length === (at(e.to, "asking") && !(at(e.from, "asking") && named(e).length === 0) ? 1 : 0) },
    { name: "I1 with the last output, and no earlier, it goes on", holds: (e) => implies(at(e.from, "acting") && e.event.type === "output" && !ignored(e), () => contextOf(e.to).open.length > 0 ? at(e.to, "acting") : goesOn(e, { ...contextOf(e.from), tokens: contextOf(e.to).tokens })) },
    { name: "each answer leads where it must", holds: (e) => { const event = eventOf(e); return !at(e.from, "asking") || event?.type !== "answered" || afterAnswer(e, contextOf(e.from), event); } },
    { name: "an answer ends a row of retries and is taken with its size", holds: (e) => implies(at(e.from, "asking") && e.event.type === "answered", () => { const event = eventOf(e), to = contextOf(e.to); return to.retries === 0 && event?.type === "answered" && to.tokens === event.tokens && !to.unseen && (to.compacted === at(e.to, "compacting")); }) },
    { name: "each trouble leads where it must", holds: (e) => { const event = eventOf(e); return !at(e.from, "asking", "compacting") || event?.type !== "troubled" || afterTrouble(e, contextOf(e.from), event); } },
    { name: "I3 done is only what was asked to verify since the last change, or as often as may be, or asks a person, or only reads", holds: (e) => {
      const from = contextOf(e.from), event = eventOf(e);
      return !at(e.to, "done") || at(e.from, "done") || !from.works || (event?.type === "answered" && event.asks) || (from.verifications > 0 && (!from.changed || from.verifications === from.caps.verifications));
    } },
    { name: "I3 verification is asked for by an answer without calls alone", holds: (e) => { const to = contextOf(e.to), from = contextOf(e.from); return (to.verifications !== from.verifications) === (of(e, "urge").length > 0) && implies(of(e, "urge").length > 0, () => e.event.type === "answered" && at(e.from, "asking")); } },
    { name: "I5 a compaction counts when it begins, and is begun once between two answers", holds: (e) => {
      const from = contextOf(e.from), to = contextOf(e.to), begins = at(e.to, "compacting") && !at(e.from, "compacting", "waiting");
      return to.compactions === from.compactions + (begins ? 1 : 0) && implies(begins, () => to.compacted && (!from.compacted || e.event.type === "answered")) && implies(at(e.from, "compacting") && !at(e.to, "compacting"), () => to.compacted);
    } },
    { name: "I5 a compaction begins with one request for it, taken up again after a wait", holds: (e) => of(e, "compact").length === (at(e.to, "compacting") && !at(e.from, "compacting") ? 1 : 0) },
    { name: "a summary takes the place of the conversation, and then it goes on", holds: (e) => { const event = eventOf(e); return !at(e.from, "compacting") || event?.type !== "compacted" || (contextOf(e.to).tokens === event.tokens && contextOf(e.to).retries === 0 && goesOn(e, { ...contextOf(e.from), tokens: event.tokens })); } },
    { name: "after a wait it does again what it was about to do", holds: (e) => implies(at(e.from, "waiting") && e.event.type === "due", () => contextOf(e.from).resuming === "compacting" ? at(e.to, "compacting") && contextOf(e.to).retries === contextOf(e.from).retries : at(e.to, "asking") && same(of(e, "ask")[0]?.params, { phase: contextOf(e.from).phase })) },
    { name: "I4 a request counts when it is new, not when it is tried again", holds: (e) => { const fresh = of(e, "ask").length > 0 && !at(e.from, "waiting"); return contextOf(e.to).requests === contextOf(e.from).requests + (fresh ? 1 : 0); } },
    { name: "what it is asked for is the phase it is in", holds: (e) => of(e, "ask").every(({ params }) => same(params, { phase: contextOf(e.to).phase })) },
    { name: "I2 what is said is remembered until a request takes it in", holds: (e) => { const from = contextOf(e.from), to = contextOf(e.to); return e.from.status !== "active" || to.told === (of(e, "ask").length > 0 ? false : from.told || e.event.type === "message"); } },
    { name: "what a wait is for is known: the request that was sent", holds: (e) => implies(at(e.to, "waiting") && !at(e.from, "waiting"), () => (contextOf(e.to).resuming === "compacting") === at(e.from, "compacting")) },
    { name: "it plans until its first answer", holds: (e) => (contextOf(e.to).phase === "plan") === (contextOf(e.from).phase === "plan" && !(at(e.from, "asking") && e.event.type === "answered")) },
    { name: "a message moves nothing", holds: (e) => implies(e.event.type === "message", () => same(e.from.value, e.to.value) && e.actions.length === 0) },
    { name: "misplaced events change nothing", holds: (e) => ["message", "interrupt"].includes(e.event.type) || (hears[String(e.from.value)] ?? []).includes(eventOf(e)?.type ?? "message") || ignored(e) },
  ],
};
