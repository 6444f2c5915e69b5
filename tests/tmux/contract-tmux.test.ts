import { describe } from "vitest";
import { contract } from "./contract.ts";
import { tmuxOrSkip } from "./room.ts";

describe.skipIf(!tmuxOrSkip())("", () => contract("tmux"));
