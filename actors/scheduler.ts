import type { Address } from "../src/domain/ids.ts";
import type { WorkItemView } from "../src/domain/view.ts";
import { isTerminal, usesSlot } from "../src/domain/work-item.ts";

/**
 * Decides which ready item is claimed next.
 *
 * Owns: what it knows of the items (derived from their views, so a restart re-derives it) and the claims it has sent.
 * I1 Never more than `slots` items hold a slot, nor `slotsPerProject` of one project; a claim sent counts until it is answered.
 * I2 `manual` is never claimed; `none` only while `claimUnassigned`. I3 Priority first, then age, then id: no item overtakes an equal.
 * I4 Nothing is claimed for a project that is held.
 */
export interface SchedulerOptions {
  readonly slots: number;
  readonly slotsPerProject: number;
  readonly claimUnassigned: boolean;
  readonly claim: (item: Address) => void;
  /** As much as the caps of its day allow is used. */
  readonly held?: (project: string) => boolean;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #items = new Map<Address, WorkItemView>();
  readonly #claimed = new Set<Address>();
  #paused = true;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Until then nothing is claimed: recovery first. */
  start(): void {
    this.#paused = false;
    this.#fill();
  }

  stop(): void {
    this.#paused = true;
  }

  /** Something else may have changed than an item: claims what may be claimed now. */
  look(): void {
    this.#fill();
  }

  note(address: Address, view: WorkItemView): void {
    if (view.status !== "ready") this.#claimed.delete(address);
    if (isTerminal(view.status)) this.#items.delete(address);
    else this.#items.set(address, view);
    this.#fill();
  }

  /** Items that have not ended. */
  get items(): readonly WorkItemView[] {
    return [...this.#items.values()];
  }

  get slotsUsed(): number {
    let used = 0;
    for (const [address, item] of this.#items) if (this.#holdsSlot(address, item)) used++;
    return used;
  }

  #holdsSlot(address: Address, item: WorkItemView): boolean {
    return usesSlot(item.status) || this.#claimed.has(address);
  }

  #mayClaim(item: WorkItemView): boolean {
    return item.operatorLane !== "manual" && (item.operatorLane !== "none" || this.#options.claimUnassigned);
  }

  #fill(): void {
    if (this.#paused) return;
    let busy = 0;
    const byProject = new Map<string, number>();
    for (const [address, item] of this.#items) {
      if (!this.#holdsSlot(address, item)) continue;
      busy++;
      byProject.set(item.project, (byProject.get(item.project) ?? 0) + 1);
    }
    // With thousands that wait, most looks end here.
    if (busy >= this.#options.slots) return;
    const candidates = [...this.#items]
      .filter(([address, item]) => item.status === "ready" && !this.#claimed.has(address) && this.#mayClaim(item))
      .sort(([, a], [, b]) => a.priority - b.priority || a.createdAt - b.createdAt || a.id.localeCompare(b.id, "en", { numeric: true }));
    for (const [address, item] of candidates) {
      if (busy >= this.#options.slots) return;
      if (this.#options.held?.(item.project) === true) continue;
      const inProject = byProject.get(item.project) ?? 0;
      if (inProject >= this.#options.slotsPerProject) continue;
      busy++;
      byProject.set(item.project, inProject + 1);
      this.#claimed.add(address);
      this.#options.claim(address);
    }
  }
}
