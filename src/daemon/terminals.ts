/**
 * Terminals as the contract has them: over the seats of a state directory, which any process can read, and, in a daemon, over the panes that show them.
 */
import { type PaneKeeper } from "../../actors/pane-keeper.ts";
import { seatLister, type SeatState } from "../../actors/terminal-list.ts";
import { TerminalStreams } from "../../actors/terminal-streams.ts";
import { terminalOf } from "../client/address.ts";
import { ClientProblem, type FactoryStatus, type ItemState, type LiveFactory, type TerminalState } from "../client/contract.ts";
import { isTerminal } from "../domain/work-item.ts";
import type { ClockShape } from "../ports/clock.ts";

export interface TerminalsParts {
  /** `<state>/terminals`. */
  readonly root: string;
  readonly clock: ClockShape;
  readonly items: () => Promise<readonly ItemState[]>;
  /** Of a daemon. */
  readonly keeper?: PaneKeeper;
  /** Why there are no panes, where there is no keeper. */
  readonly without: string;
}

export interface FactoryTerminals extends Pick<LiveFactory, "terminals" | "watchTerminal" | "attachment"> { readonly backend: () => FactoryStatus["terminals"] }

export const makeTerminals = ({ root, clock, items, keeper, without }: TerminalsParts): FactoryTerminals => {
  const list = seatLister(root), streams = new TerminalStreams(clock);
  const stateOf = ({ directory, file, size, from, lastLine, updatedAt }: SeatState, ended: ReadonlySet<string>): TerminalState => {
    const pane = keeper?.paneOf({ directory, file });
    return {
      address: file.address, item: file.item, team: file.team, seat: file.seat, adapter: file.adapter, state: ended.has(file.item) ? "ended" : file.state,
      size, from, columns: file.columns, rows: file.rows, lastLine, updatedAt, pane: pane?.id ?? null, attached: pane?.attached ?? 0,
    };
  };
  const seats = async (): Promise<readonly { readonly seat: SeatState; readonly state: TerminalState }[]> => {
    const [found, known] = await Promise.all([list(), items()]);
    const ended = new Set(known.filter(({ item }) => isTerminal(item.status)).map(({ item }) => String(item.id)));
    return found.map((seat) => ({ seat, state: stateOf(seat, ended) }));
  };
  const find = async (address: string): Promise<{ readonly seat: SeatState; readonly state: TerminalState }> => {
    const all = await seats(), state = terminalOf(address, all.map((each) => each.state));
    const found = all.find((each) => each.state === state);
    if (!found) throw new ClientProblem(`there is no terminal ${address}`, "list them with: enact-factory panes");
    return found;
  };

  return {
    backend: () => keeper?.backend ?? { backend: "none", detail: without, panes: 0 },
    terminals: async () => (await seats()).map(({ state }) => state),
    watchTerminal: (address, options, onFrame) => {
      let stop: (() => void) | undefined, stopped = false;
      find(address).then(({ seat }) => {
        if (!stopped) stop = streams.watch(seat.directory, options, onFrame);
      }, () => { if (!stopped) onFrame({ type: "ended" }); });
      return () => {
        stopped = true;
        stop?.();
      };
    },
    attachment: async (address, { write }) => {
      const { seat, state } = await find(address);
      const follow = `follow it with: enact-factory logs -f ${state.address}`;
      const fabric = keeper?.terminals;
      if (!fabric || fabric.backend !== "tmux") throw new ClientProblem(`${state.address} is shown in no tmux pane: ${keeper?.backend.detail ?? without}`, follow);
      const found = await fabric.attachCommand(seat.session, seat.pane, { write });
      if (!found) throw new ClientProblem(state.state === "ended" ? `${state.address} has ended, and its pane is gone` : `${state.address} has no pane just now`, follow);
      return found;
    },
  };
};
