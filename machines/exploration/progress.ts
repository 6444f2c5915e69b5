import type { Exploration } from "../catalog.ts";

export const exploration: Exploration = { inputs: [], events: [], unattended: [], abstraction: (s) => s.value, restStates: [], states: [], edges: [] };
