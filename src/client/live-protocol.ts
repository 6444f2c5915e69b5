/**
 * Everything live over one WebSocket: JSON messages, and binary messages for terminal bytes.
 *
 * Events carry a number that rises by one for each, within an epoch (one life of the gateway). The server keeps the last ones in a ring: who
 * comes back with a number gets what followed it, or `resync` (or a `snapshot`, when asked for) when that is no longer there.
 *
 * I1 A number never stands for two events. I2 After `resync` or `snapshot` with number n, events from n + 1 on follow without a gap.
 * I3 A binary message is whole records; a reader skips kinds that it does not know.
 */
import { z } from "zod";
import type { TerminalFrame } from "./contract.ts";
import { AnyAddress, InspectionEvent, ItemState, LiveChange as Change, TeamState } from "./wire.ts";

/** Subprotocol that both sides speak. A browser, which cannot set headers, adds `enact.token.TOKEN` beside it. */
export const protocolName = "enact.live.v1";
export const tokenProtocol = "enact.token.";

const seq = z.int().nonnegative();
const key = z.int().min(0).max(0xffff_ffff);

export const ClientMessage = z.discriminatedUnion("type", [
  /** Events from now on; with `snapshot` everything as it is first. */
  z.strictObject({ type: z.literal("subscribe"), snapshot: z.boolean().default(false) }),
  /** Events after `seq` of `epoch`; if they are gone, `resync` or, with `snapshot`, everything as it is. */
  z.strictObject({ type: z.literal("resume"), epoch: z.string().max(64), seq, snapshot: z.boolean().default(false) }),
  z.strictObject({ type: z.literal("unsubscribe") }),
  /** Follows a terminal from byte `from`, or from a picture of its screen. `terminal` is the client's own number for it. */
  z.strictObject({ type: z.literal("watch"), terminal: key, address: AnyAddress, from: z.int().nonnegative().optional() }),
  z.strictObject({ type: z.literal("unwatch"), terminal: key }),
  /** Follows the steps of charts. `inspection` is the client's own number for it. */
  z.strictObject({ type: z.literal("inspect"), inspection: key, address: AnyAddress.optional() }),
  z.strictObject({ type: z.literal("uninspect"), inspection: key }),
]);
export type ClientMessage = z.input<typeof ClientMessage>;

export const ServerMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), protocol: z.literal(1), epoch: z.string(), seq, version: z.string() }),
  /** `first` is the number of the first change; the others follow by one. */
  z.object({ type: z.literal("events"), epoch: z.string(), first: seq, changes: z.array(Change) }),
  z.object({ type: z.literal("snapshot"), epoch: z.string(), seq, items: z.array(ItemState), teams: z.array(TeamState) }),
  /** Events were missed: read again what matters. */
  z.object({ type: z.literal("resync"), epoch: z.string(), seq }),
  /** `dropped`: steps left out before these, because the client was too slow. */
  z.object({ type: z.literal("inspection"), inspection: key, dropped: z.int().nonnegative(), events: z.array(InspectionEvent) }),
  /** A request that cannot be done; the connection stays. */
  z.object({ type: z.literal("refused"), request: z.string(), terminal: key.optional(), inspection: key.optional(), error: z.object({ message: z.string(), next: z.string() }) }),
]);
export type ServerMessage = z.output<typeof ServerMessage>;

/** Close codes of our own. */
export const closeCode = { /** The factory stops by command. */ stopping: 1001, /** Too much, too big, or not of this protocol. */ refused: 1008, /** It read too slowly for too long. */ slow: 4001 } as const;

/** A record of a binary message: kind (u8), terminal (u32), offset (u64), length (u32), then so many bytes. Big-endian. */
export const recordHeader = 17;
const kinds = ["bytes", "keyframe", "gap", "resize", "ended"] as const satisfies readonly TerminalFrame["type"][];

/** The bytes of one frame for `terminal`, as its record. */
export const encodeFrame = (terminal: number, frame: TerminalFrame): Uint8Array => {
  const payload = payloadOf(frame);
  const record = new Uint8Array(recordHeader + payload.length);
  const view = new DataView(record.buffer);
  view.setUint8(0, kinds.indexOf(frame.type) + 1);
  view.setUint32(1, terminal);
  view.setBigUint64(5, BigInt(frame.type === "gap" ? frame.from : frame.type === "bytes" || frame.type === "keyframe" ? frame.offset : 0));
  view.setUint32(13, payload.length);
  record.set(payload, recordHeader);
  return record;
};

/** keyframe: columns and rows (u16 each), then the screen. gap: the first byte that is there again (u64). resize: columns and rows. */
const payloadOf = (frame: TerminalFrame): Uint8Array => {
  switch (frame.type) {
    case "bytes": return frame.data;
    case "keyframe": {
      const payload = new Uint8Array(4 + frame.data.length);
      payload.set(size(frame.columns, frame.rows));
      payload.set(frame.data, 4);
      return payload;
    }
    case "gap": {
      const payload = new Uint8Array(8);
      new DataView(payload.buffer).setBigUint64(0, BigInt(frame.to));
      return payload;
    }
    case "resize": return size(frame.columns, frame.rows);
    case "ended": return new Uint8Array(0);
  }
};
const size = (columns: number, rows: number): Uint8Array => {
  const payload = new Uint8Array(4);
  const view = new DataView(payload.buffer);
  view.setUint16(0, columns);
  view.setUint16(2, rows);
  return payload;
};

/** The records of one binary message, in order. A message that is cut off ends with its last whole record. */
export const decodeFrames = (message: Uint8Array): readonly { readonly terminal: number; readonly frame: TerminalFrame }[] => {
  const found: { readonly terminal: number; readonly frame: TerminalFrame }[] = [];
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  for (let at = 0; at + recordHeader <= message.length;) {
    const kind = kinds[view.getUint8(at) - 1];
    const terminal = view.getUint32(at + 1);
    const offset = Number(view.getBigUint64(at + 5));
    const length = view.getUint32(at + 13);
    const from = at + recordHeader;
    at = from + length;
    if (at > message.length) break;
    const data = message.subarray(from, at);
    const inner = new DataView(message.buffer, message.byteOffset + from, length);
    if (kind === "bytes") found.push({ terminal, frame: { type: "bytes", offset, data } });
    else if (kind === "ended") found.push({ terminal, frame: { type: "ended" } });
    else if (kind === "keyframe" && length >= 4) found.push({ terminal, frame: { type: "keyframe", offset, columns: inner.getUint16(0), rows: inner.getUint16(2), data: data.subarray(4) } });
    else if (kind === "gap" && length >= 8) found.push({ terminal, frame: { type: "gap", from: offset, to: Number(inner.getBigUint64(0)) } });
    else if (kind === "resize" && length >= 4) found.push({ terminal, frame: { type: "resize", columns: inner.getUint16(0), rows: inner.getUint16(2) } });
  }
  return found;
};

/** The offset after a frame: where to go on from when the connection was lost behind it. `undefined`: it does not move. */
export const offsetAfter = (frame: TerminalFrame): number | undefined => {
  switch (frame.type) {
    case "bytes": return frame.offset + frame.data.length;
    case "keyframe": return frame.offset;
    case "gap": return frame.to;
    case "resize":
    case "ended": return undefined;
  }
};

