import { ClientProblem } from "../client/contract.ts";
import type { HeirOptions } from "./heir.ts";
import { launch } from "./launch.ts";
import { seemingOwner } from "./owner-status.ts";
import type { Setting } from "./setting.ts";
import { systemClock } from "./system-clock.ts";

/** A daemon that was stopped may be on its way back (`restart`). Milliseconds. */
const restartMs = 15_000;
const launchMs = 30_000;
const maxLaunches = 3;

/**
 * What a client of the daemon does while nobody answers: a daemon that crashed is started again, one that somebody stopped is waited for, and
 * neither for ever.
 */
export const reviver = (setting: Setting, bin: string | undefined): NonNullable<HeirOptions["succeed"]> => {
  let waitingSince: number | undefined;
  let launches = 0;
  return async (ended) => {
    const now = systemClock.now();
    if (seemingOwner(setting.stateDirectory, now)) {
      // A command that owns the state takes what is in the store; a daemon that comes up will answer.
      waitingSince = undefined;
      return undefined;
    }
    waitingSince ??= now;
    if (ended === "stopping") return now - waitingSince < restartMs ? undefined : { lost: "the factory was stopped" };
    if (launches >= maxLaunches) return { lost: "the factory does not stay up" };
    launches++;
    try {
      await launch(setting, bin, { patienceMs: launchMs });
      waitingSince = undefined;
    } catch (error) {
      if (launches >= maxLaunches) return { lost: error instanceof ClientProblem ? error.message : String(error) };
    }
    return undefined;
  };
};
