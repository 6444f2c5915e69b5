import { z } from "zod";
import { Gate, Gates, pendingGates } from "./gate.ts";
import { WorkItemId } from "./ids.ts";
import { OperatorLane } from "./lane.ts";
import { Stage } from "./stage.ts";
import { isTerminal, WorkItemStatus } from "./work-item.ts";

/**
 * May an agent stop now? One ordered list of rules over plain facts; the first that holds decides, and its id is in the verdict.
 *
 * I1 Total and deterministic: the last rule holds always, and nothing but the facts counts. I2 Meeting one more gate never turns an allow into a
 * deny. I3 No loop: after `breaker` denials within their time the stop is allowed. I4 Nobody is held back by what is not their doing: a cancel, the
 * provider, a full context, another session's lane, a record without a session.
 */

/** Why the CLI stops. `aborted`: a person interrupted it. */
export const StopCause = z.enum(["normal", "cancelled", "auth", "rateLimited", "contextExhausted", "aborted"]);
export type StopCause = z.infer<typeof StopCause>;

/** What is known of the work item that the session works on. */
export const StopItem = z.object({
  id: WorkItemId, status: WorkItemStatus, needs: z.array(Gate), gates: Gates,
  /** It waits for a person: nothing an agent could do. */
  blocked: z.boolean(),
  /** The factory's own agents work on it. */
  running: z.boolean(),
});
export type StopItem = z.infer<typeof StopItem>;

/** What is known of the lane run that the session is linked to. `session`: whose it is; null when it is nobody's. `next`: what that session should do; untrusted in part. */
export const StopLane = z.object({ lane: OperatorLane, phase: z.string(), ended: z.boolean(), paused: z.boolean(), cancelled: z.boolean(), session: z.string().nullable(), next: z.string() });
export type StopLane = z.infer<typeof StopLane>;

export const StopFacts = z.object({
  /** `stop.enabled` of the configuration. */
  enabled: z.boolean(),
  attempt: z.object({ sessionId: z.string(), cause: StopCause, /** Its last words are a question to a person. */ asksHuman: z.boolean() }),
  /** The session silenced its blockers. */
  acknowledged: z.boolean(),
  /** Denials of this session within the breaker's time, and how many end it. */
  denials: z.number().int().nonnegative(),
  breaker: z.number().int().positive(),
  lane: StopLane.nullable(),
  item: StopItem.nullable(),
  /** A turn that the factory itself runs. `changed`: its worktree stands differently from where the stage began. */
  run: z.object({ stage: Stage, changed: z.boolean() }).nullable(),
});
export type StopFacts = z.infer<typeof StopFacts>;

/** The breaker (I3): so many denials of a session within that time are enough. */
export interface StopLimits { readonly enabled: boolean; readonly denials: number; readonly withinMs: number }
export const defaultStopLimits: StopLimits = { enabled: true, denials: 5, withinMs: 600_000 };
/** In a turn that the factory runs the pipeline sees to the rest. */
export const denialsOfRun = 2;

interface Rule { readonly id: string; readonly decides: "allow" | "deny"; /** For the table of docs/stop-policy.md: when it holds. */ readonly says: string; readonly when: (facts: StopFacts) => boolean; /** For the agent. */ readonly reason: (facts: StopFacts) => string }

const pendingOf = ({ item }: StopFacts): readonly Gate[] => (item === null ? [] : pendingGates(item.needs, item.gates));
const lacksClosure = (facts: StopFacts): boolean => {
  const pending = pendingOf(facts), status = facts.item?.status;
  return pending.includes("closureEvidence") && (status === "done" || (status === "review" && pending.length === 1));
};
const nameOf = ({ item }: StopFacts): string => item?.id ?? "the work item";
const override = "Or end it against the rules, for this session: call factory_stop_acknowledge, or run enact-factory session acknowledge --reason WHY.";

/** Holds always (I1). */
const open = { id: "open", decides: "allow", says: "Nothing holds it back.", when: () => true, reason: () => "nothing holds it back" } as const satisfies Rule;

export const stopRules = [
  { id: "disabled", decides: "allow", says: "`stop.enabled` is false.", when: (f) => !f.enabled, reason: () => "the stop policy is switched off (stop.enabled)" },
  { id: "orphan", decides: "allow", says: "The attempt names no session, or nothing is linked to the session, or what is linked is not known here.", when: (f) => f.attempt.sessionId === "" || (f.item === null && f.lane === null && f.run === null), reason: () => "nothing is linked to this session" },
  { id: "cancelled", decides: "allow", says: "A person interrupted or cancelled, or the work item or the lane run was cancelled.", when: (f) => f.attempt.cause === "cancelled" || f.attempt.cause === "aborted" || f.lane?.cancelled === true || f.item?.status === "cancelling" || f.item?.status === "cancelled", reason: () => "it was cancelled" },
  { id: "auth", decides: "allow", says: "The provider refused the login.", when: (f) => f.attempt.cause === "auth", reason: () => "the provider refused the login" },
  { id: "rateLimited", decides: "allow", says: "The provider's limit is reached.", when: (f) => f.attempt.cause === "rateLimited", reason: () => "the provider's limit is reached" },
  { id: "contextExhausted", decides: "allow", says: "The session's context is full: a denial could only be answered by stopping again.", when: (f) => f.attempt.cause === "contextExhausted", reason: () => "the session's context is full" },
  { id: "otherSession", decides: "allow", says: "The linked lane run belongs to another session.", when: (f) => f.lane !== null && f.lane.session !== null && f.lane.session !== f.attempt.sessionId, reason: () => "the linked lane run belongs to another session" },
  { id: "acknowledged", decides: "allow", says: "This session acknowledged its blockers, with a reason.", when: (f) => f.acknowledged, reason: () => "this session acknowledged its blockers" },
  { id: "asksHuman", decides: "allow", says: "The agent asks a person, or the work item waits for one.", when: (f) => f.attempt.asksHuman || f.item?.blocked === true, reason: () => "a person is asked" },
  { id: "paused", decides: "allow", says: "The lane run or the work item is paused.", when: (f) => f.lane?.paused === true || f.item?.status === "paused", reason: () => "the work is paused" },
  { id: "factoryWorks", decides: "allow", says: "The factory's own agents work on the linked item: there is nothing for this session to do.", when: (f) => f.item?.running === true && f.lane?.session == null, reason: () => "the factory's own agents work on it" },
  { id: "breaker", decides: "allow", says: "This session was denied `stop.denials` times within `stop.withinMs`: it is let go, and the last denial is shown at the next session's start.", when: (f) => f.denials >= f.breaker, reason: (f) => `denied ${f.denials} times already` },
  {
    id: "closureEvidenceMissing", decides: "deny", says: "§I4: the work item was closed, or is ready to be, without its `closureEvidence` gate; an epic over several projects is closed by acknowledgement alone.", when: lacksClosure,
    reason: (f) => `§I4 closure-evidence-missing: ${nameOf(f)} is not closed by itself. Acknowledge its close with a reason: factory_workitem_acknowledge_close, or enact-factory task close ${nameOf(f)} --reason WHY. ${override}`,
  },
  {
    id: "laneActive", decides: "deny", says: "The linked lane run has not ended.", when: (f) => f.lane !== null && !f.lane.ended,
    reason: (f) => `${f.lane?.lane ?? "the lane"} is in its phase ${f.lane?.phase ?? "?"}. ${f.lane?.next || "Go on with it until it has ended, or pause or cancel it."} ${override}`,
  },
  {
    id: "gatesPending", decides: "deny", says: "The linked work item has not ended and a gate that it needs is neither met nor waived.", when: (f) => f.item !== null && !isTerminal(f.item.status) && pendingOf(f).length > 0,
    reason: (f) => `${nameOf(f)} still needs ${pendingOf(f).join(", ")}. Do what is missing, or ask a person. ${override}`,
  },
  {
    id: "nothingChanged", decides: "deny", says: "A coder that the factory runs has changed nothing since its stage began.", when: (f) => f.run !== null && f.run.stage === "coder" && !f.run.changed,
    reason: () => "no file has changed since this stage began. Do the work in this directory now. If nothing needs to change, say why and stop again; if something is unclear, ask.",
  },
  open,
] as const satisfies readonly Rule[];

export const StopRuleId = z.enum(stopRules.map(({ id }) => id));
export type StopRuleId = z.infer<typeof StopRuleId>;

/** What was decided, as it is kept. `at`: milliseconds since the epoch. */
export const StopVerdict = z.object({ decision: z.enum(["allow", "deny"]), ruleId: StopRuleId, reason: z.string(), pendingGates: z.array(Gate), item: WorkItemId.nullable(), at: z.number() });
export type StopVerdict = z.infer<typeof StopVerdict>;

export const decideStop = (facts: StopFacts): Pick<StopVerdict, "decision" | "ruleId" | "reason" | "pendingGates"> => {
  const rule = stopRules.find(({ when }) => when(facts)) ?? open;
  return { decision: rule.decides, ruleId: rule.id, reason: `[${rule.id}] ${rule.reason(facts)}`, pendingGates: [...pendingOf(facts)] };
};
