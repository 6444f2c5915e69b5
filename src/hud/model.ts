/**
 * What the HUD knows and what the person at it is doing. Pure: an event and a model give the next model and what is to be done.
 *
 * Owns nothing outside itself; `session.ts` reads the factory and carries out the effects, `frame.ts` draws.
 *
 * I1 Everything it knows of the factory came from the client contract. I2 Nothing is sent that the person did not ask for by a key or a
 * text; cancelling and removing ask once more. I3 A text that could not be sent comes back into the input box.
 * I4 A key settles what the person saw: the choice holds on to its row, not to its place; for a moment after the row has gone by itself,
 * keys that send are not taken. I5 An answer goes to the question that was on the screen, or the person is told of the new one first.
 */
import { type InboxEntry, type InboxKey, requestOf } from "../client/inbox.ts";
import { oneLine } from "../client/text/safe-text.ts";
import { chosenIn, subjectOf } from "./chosen.ts";
import { type Action, type Deed, type Detail, type Effect, entryOf, type HudEvent, type HudModel, inboxOf, type Known, type Notice, nothingRead, type Panel, panels, type Subject, type Tab, tabs, type Target, terminalOf, type Writing } from "./state.ts";
import { editText, emptyText, textOf } from "./text-field.ts";

export interface Step { readonly model: HudModel; readonly effects: readonly Effect[] }

const nowhere = { key: "", index: 0 };
export const begin = (version: string, known: Known, now: number, session = ""): HudModel => {
  const model: HudModel = {
    version, session, sent: 0, now, shiftedAt: 0, known, detailKnown: nothingRead, panel: "inbox", detail: null, mode: { type: "browse" }, tops: {}, filter: "", notice: null,
    selected: { inbox: nowhere, work: nowhere, seats: nowhere, spend: nowhere, tree: nowhere, events: nowhere },
  };
  return hold({ ...model, panel: inboxOf(model).length > 0 ? "inbox" : "work" });
};

const still = (model: HudModel): Step => ({ model, effects: [] });
const tell = (model: HudModel, level: Notice["level"], text: string): HudModel => ({ ...model, notice: { level, text, at: model.now } });
/** How long a notice stands. */
export const noticeMs = 8_000;

/** The choice is a row, also before anything was pressed (I4). */
const hold = (model: HudModel): HudModel => {
  const { rows, index } = chosenIn(model, model.panel);
  const key = rows[index]?.key ?? "";
  const { key: held, index: place } = model.selected[model.panel];
  return held === key && (place === index || index < 0) ? model : { ...model, selected: { ...model.selected, [model.panel]: { key, index: Math.max(0, index) } } };
};

export const step = (before: HudModel, event: HudEvent, now: number): Step => {
  const { model, effects } = stepped(before, event, now);
  return { model: hold(model), effects };
};

const stepped = (before: HudModel, event: HudEvent, now: number): Step => {
  const model = { ...before, now, notice: before.notice !== null && now - before.notice.at >= noticeMs ? null : before.notice };
  switch (event.type) {
    case "tick": return still(model);
    case "drawn": return still({ ...model, tops: event.tops, ...(model.detail !== null && model.detail.scroll > event.reach ? { detail: { ...model.detail, scroll: event.reach } } : {}) });
    case "known": {
      const next = { ...model, known: event.known };
      const held = model.selected[model.panel].key;
      const gone = held !== "" && !chosenIn(next, next.panel).rows.some(({ key }) => key === held);
      return still(gone ? { ...next, shiftedAt: now } : next);
    }
    case "detail": return still(sameView(model.detail, event.of) ? { ...model, detailKnown: { ...model.detailKnown, ...event.known } } : model);
    case "notice": return still(tell(model, event.level, event.text));
    case "refused": return still({ ...tell(model, "error", event.text), ...(event.restore !== undefined && model.mode.type === "browse" ? { mode: event.restore } : {}) });
    case "action": return act(model, event.action);
  }
};

/** The same thing is looked at; scrolling does not change what is to be read. */
export const sameView = (a: Detail | null, b: Detail | null): boolean => a === b || (a !== null && b !== null && a.tab === b.tab && JSON.stringify(a.subject) === JSON.stringify(b.subject));

const act = (model: HudModel, action: Action): Step => {
  switch (action.type) {
    case "quit": return { model, effects: [{ type: "quit" }] };
    case "help": return still({ ...model, mode: { type: "help" } });
    case "search": return still({ ...model, mode: { type: "search", field: { before: model.filter, after: "" } } });
    case "leave": return still(leave(model));
    case "edit": return still(edit(model, action));
    case "submit": return submit(model);
    case "yes": return model.mode.type === "confirm" ? { model: { ...model, mode: { type: "browse" } }, effects: [model.mode.effect] } : still(model);
    case "no": return still({ ...model, mode: { type: "browse" } });
    case "panel": return still({ ...model, detail: null, detailKnown: nothingRead, panel: action.to === "next" || action.to === "previous" ? (panels[(panels.indexOf(model.panel) + (action.to === "next" ? 1 : panels.length - 1)) % panels.length] ?? model.panel) : action.to });
    case "move": return still(model.detail === null ? choose(model, model.panel, chosenIn(model, model.panel).index + action.by) : scroll(model, model.detail, action.by));
    case "edge": return still(model.detail === null ? choose(model, model.panel, action.to === "first" ? 0 : Number.MAX_SAFE_INTEGER) : scroll(model, model.detail, action.to === "first" ? -Number.MAX_SAFE_INTEGER : Number.MAX_SAFE_INTEGER));
    case "pan": return still(model.detail === null ? model : { ...model, detail: { ...model.detail, pan: Math.max(0, model.detail.pan + action.by) } });
    case "tab": return still(model.detail === null ? model : open(model, model.detail.subject, tabs[(tabs.indexOf(model.detail.tab) + (action.by > 0 ? 1 : tabs.length - 1)) % tabs.length] ?? "summary"));
    case "open": return still(openChosen(model));
    case "point": return still(point(model, action.at));
    case "wheel": return still(wheel(model, action.at, action.by));
    case "do": return perform(model, action.what);
  }
};

const choose = (model: HudModel, panel: Panel, to: number): HudModel => {
  const { rows } = chosenIn(model, panel);
  const index = Math.max(0, Math.min(rows.length - 1, to));
  const row = rows[index];
  return { ...model, panel, selected: { ...model.selected, [panel]: row === undefined ? nowhere : { key: row.key, index } } };
};

/** The end is found when it is drawn: only then it is known how long the view is. */
const scroll = (model: HudModel, detail: Detail, by: number): HudModel => {
  // A terminal is read from its end: up is further away from it.
  const to = detail.tab === "terminal" ? detail.scroll - by : detail.scroll + by;
  return { ...model, detail: { ...detail, scroll: Math.max(0, Math.min(1_000_000, to)) } };
};

const open = (model: HudModel, subject: Subject, tab: Tab): HudModel => {
  const detail: Detail = { subject, tab, scroll: 0, pan: 0 };
  return { ...model, detail, detailKnown: sameView(model.detail, detail) ? model.detailKnown : nothingRead };
};

const openChosen = (model: HudModel): HudModel => {
  if (model.detail !== null) return model;
  const subject = subjectOf(model);
  if (subject.item === null && subject.terminal === null && subject.team === null) return model;
  return open(model, subject, model.panel === "seats" && (subject.terminal !== null || subject.member !== null) ? "terminal" : model.panel === "events" ? "journal" : "summary");
};

const leave = (model: HudModel): HudModel => {
  if (model.mode.type === "search") return { ...model, mode: { type: "browse" }, filter: "" };
  if (model.mode.type !== "browse") return { ...model, mode: { type: "browse" } };
  if (model.detail !== null) return { ...model, detail: null, detailKnown: nothingRead };
  return { ...model, filter: "", notice: null };
};

const point = (model: HudModel, at: Target): HudModel => {
  if (at.type === "tab") return model.detail === null ? open(model, subjectOf(model), at.tab) : open(model, model.detail.subject, at.tab);
  if (at.type === "detail") return model;
  if (at.type === "panel") return { ...model, panel: at.panel, detail: null, detailKnown: nothingRead };
  const { rows, index } = chosenIn(model, at.panel);
  const to = rows.findIndex(({ key }) => key === at.key);
  if (model.detail === null && model.panel === at.panel && to === index) return openChosen(model);
  return choose({ ...model, detail: null, detailKnown: nothingRead }, at.panel, to);
};

const wheel = (model: HudModel, at: Target, by: number): HudModel => {
  if (at.type === "row" || at.type === "panel") return model.detail !== null && model.panel !== at.panel ? model : choose(model, at.panel, chosenIn(model, at.panel).index + Math.sign(by));
  return model.detail === null ? model : scroll(model, model.detail, by);
};

const edit = (model: HudModel, action: Extract<Action, { readonly type: "edit" }>): HudModel => {
  const { mode } = model;
  if (mode.type === "write") return { ...model, mode: { ...mode, field: editText(mode.field, action.edit) } };
  if (mode.type !== "search") return model;
  const field = editText(mode.field, action.edit);
  return { ...model, mode: { ...mode, field }, filter: textOf(field) };
};

const write = (model: HudModel, what: Writing, label: string, subject: Subject, asked = ""): Step => still({ ...model, notice: null, mode: { type: "write", what, label, subject, asked, field: emptyText } });
const askedLabel = (what: Writing, verb: string, name: string, text: string): string => (what === "answer" ? `${verb} ${name}: ${oneLine(text)}` : `Reject ${name}: why?`);

const messageId = (model: HudModel): string => `hud-${model.session}-${model.sent + 1}`;
/** One more was sent. */
const sent = (model: HudModel): HudModel => ({ ...model, sent: model.sent + 1 });

const submit = (model: HudModel): Step => {
  const { mode } = model;
  if (mode.type === "search") return still(choose({ ...model, mode: { type: "browse" } }, model.panel, 0));
  if (mode.type !== "write") return still(model);
  const text = textOf(mode.field).trim();
  if (text === "") return still(tell(model, "warning", "Write something, or leave with Esc."));
  const done = { ...model, mode: { type: "browse" as const } };
  if (mode.what === "answer" || mode.what === "reject") {
    const entry = entryOf(model, mode.subject);
    const verb = entry?.keys.find(({ key }) => key === keyOf[mode.what])?.label;
    if (entry !== undefined && verb !== undefined && entry.text !== mode.asked) {
      return still({ ...tell(model, "warning", "It asks something else now. Enter sends all the same, Esc leaves."), mode: { ...mode, asked: entry.text, label: askedLabel(mode.what, verb, entry.ref, entry.text) } });
    }
    const request = entry && requestOf(entry, mode.what === "answer" ? "e" : "r", { text, messageId: messageId(model) }, model.known.teams);
    if (request?.to === "team") return { model: sent(done), effects: [{ type: "team", name: request.name, command: request.command, restore: mode }] };
    if (mode.subject.item === null) return still(done);
    if (request?.to === "item") return { model: done, effects: [{ type: "command", id: request.id, command: request.command, restore: mode }] };
    // What was asked may be settled by now; the factory says so, and the text comes back (I3).
    return { model: done, effects: [{ type: "command", id: mode.subject.item, command: mode.what === "answer" ? { type: "answer", text } : { type: "reject", reason: text }, restore: mode }] };
  }
  const terminal = terminalOf(model, mode.subject);
  if (terminal !== undefined) return { model: done, effects: [{ type: "message", address: terminal.address, text, interrupt: mode.what === "interrupt", restore: mode }] };
  const { team, member } = mode.subject;
  return team === null ? still(tell(model, "warning", "There is no agent that could be told this.")) : { model: sent(done), effects: [{ type: "team", name: team, command: { type: "message", to: member ?? "leader", text, id: messageId(model) }, restore: mode }] };
};

const keyOf: Partial<Readonly<Record<Deed | Writing, InboxKey>>> = { approve: "a", reject: "r", answer: "e", retry: "t", cancel: "c" };

/** As long as a key may have been on its way to the row that was there before (I4). */
const shiftMs = 800;

const perform = (model: HudModel, what: Deed): Step => {
  const subject = subjectOf(model);
  const { item } = subject;
  const entry = entryOf(model, subject);
  const name = subject.entry ?? (subject.member === null ? item : `${subject.team}/${subject.member}`) ?? subject.team ?? "";
  if (item === null && subject.team === null && subject.terminal === null) return still(tell(model, "warning", "Choose an item, a team or a terminal first."));
  if (model.detail === null && what !== "show" && model.shiftedAt > 0 && model.now - model.shiftedAt < shiftMs) return still(tell(model, "warning", `What was chosen is no longer there; now it is ${name}. Nothing was sent.`));
  switch (what) {
    case "show": return still(open(model, subject, entry === undefined || entry.evidence.branch === null ? "summary" : "diff"));
    case "attach":
    case "attachToWrite": {
      const terminal = terminalOf(model, subject);
      return terminal === undefined ? still(tell(model, "warning", `${name} has no terminal.`)) : { model, effects: [{ type: "attach", address: terminal.address, write: what === "attachToWrite" }] };
    }
    case "message":
    case "interrupt": return write(model, what, `${what === "interrupt" ? "Interrupt and say to" : "Say to"} ${terminalOf(model, subject)?.address ?? name}`, subject);
    case "answer":
    case "reject": {
      const asks = entry?.keys.find(({ key }) => key === keyOf[what]);
      if (asks === undefined) return still(tell(model, "warning", what === "answer" ? `${name} asks nothing.` : `${name} waits for no approval.`));
      return write(model, what, askedLabel(what, asks.label, name, entry?.text ?? ""), subject, entry?.text ?? "");
    }
    case "approve":
    case "retry":
    case "cancel":
    case "pause":
    case "resume": return send(model, what, subject, entry, name);
  }
};

const send = (model: HudModel, what: "approve" | "retry" | "cancel" | "pause" | "resume", subject: Subject, entry: InboxEntry | undefined, name: string): Step => {
  const key = keyOf[what];
  const request = entry !== undefined && entry.team !== null && key !== undefined ? requestOf(entry, key, { text: "", messageId: messageId(model) }, model.known.teams) : undefined;
  const effect: Effect | undefined = request?.to === "team" ? { type: "team", name: request.name, command: request.command } : subject.item === null ? undefined : { type: "command", id: subject.item, command: { type: what } };
  if (effect === undefined) return still(tell(model, "warning", `${name} has no work item to ${what}.`));
  if (effect.type === "team" ? effect.command.type === "remove" : what === "cancel") {
    const question = effect.type === "team" ? `Remove ${name} from its team? y/n` : `Cancel ${subject.item}? Its work is kept in a checkpoint. y/n`;
    return still({ ...model, mode: { type: "confirm", question, effect } });
  }
  return { model: effect.type === "team" ? sent(model) : model, effects: [effect] };
};
