import { Effect } from "effect";
import { writeScope } from "../src/domain/stage.ts";
import { Publisher } from "../src/ports/publisher.ts";
import { Verifier } from "../src/ports/verifier.ts";
import { type WorkspaceError, Workspaces } from "../src/ports/workspaces.ts";
import type { HostEvent } from "./chart.ts";
import { type EffectHandlers, EffectTrouble } from "./effect-runner.ts";

/** Binds the effects that charts name to the ports that do them. Every result is one event; every error has its class. */

const event = (value: HostEvent): HostEvent => value;

export const workspaceTrouble = (error: WorkspaceError): EffectTrouble => {
  switch (error._tag) {
    case "WorkspaceIo": return new EffectTrouble({ class: "io", message: error.message });
    case "WorkspaceUnusable": return new EffectTrouble({ class: "environment", message: error.message, mend: error.mend });
    case "WorkspaceEscape": return new EffectTrouble({ class: "refused", message: error.message });
  }
};

export const workHandlers: Omit<EffectHandlers<Workspaces | Verifier | Publisher>, "turn" | "turn.message" | "source.push" | "notify"> = {
  "workspace.prepare": (request) =>
    Workspaces.use((workspaces) => workspaces.prepare(request)).pipe(
      Effect.map((workspace) => event({ type: "workspace.ready", workspace })),
      Effect.mapError(workspaceTrouble),
    ),

  "workspace.commit": (request) =>
    Workspaces.use((workspaces) => workspaces.commit(request.workspace, request.message)).pipe(
      Effect.map((work) => event({ type: "workspace.committed", ...work, changed: work.changed.slice(0, 200) })),
      Effect.mapError(workspaceTrouble),
    ),

  "workspace.sync": (request) =>
    Workspaces.use((workspaces) => workspaces.sync(request.item, request.workspace, request.onto, request.from)).pipe(
      Effect.map(({ head, conflicts }) => event({ type: "workspace.synced", head, conflicts: conflicts.slice(0, 200) })),
      Effect.mapError(workspaceTrouble),
    ),

  "workspace.merge": (request) =>
    Workspaces.use((workspaces) => workspaces.merge(request.item, request.workspace, request.commit, request.message)).pipe(
      Effect.map((result) => event(result.merged ? { type: "workspace.merged", head: result.head } : { type: "workspace.conflicted", files: result.files.slice(0, 200) })),
      Effect.mapError(workspaceTrouble),
    ),

  "workspace.checkpoint": (request) =>
    Workspaces.use((workspaces) => workspaces.checkpoint(request.item, request.workspace, request.why)).pipe(
      Effect.map(({ ref }) => event({ type: "workspace.checkpointed", ref })),
      Effect.mapError(workspaceTrouble),
    ),

  "workspace.remove": (request) =>
    Workspaces.use((workspaces) => workspaces.remove(request.item, request.workspace, request.repository)).pipe(
      Effect.as(event({ type: "workspace.removed" })),
      Effect.mapError(workspaceTrouble),
    ),

  "workspace.enforce": (request) =>
    Workspaces.use((workspaces) => workspaces.enforce(request.item, request.workspace, request.since, writeScope[request.stage])).pipe(
      Effect.map((undone) => event({ type: "workspace.enforced", undone })),
      Effect.mapError(workspaceTrouble),
    ),

  verify: (request) =>
    Verifier.use((verifier) => verifier.run(request)).pipe(
      Effect.map((report) => event({ type: "verify.done", report })),
      Effect.mapError((error) =>
        error._tag === "SandboxMissing"
          ? new EffectTrouble({ class: "environment", message: error.message, mend: error.mend })
          : new EffectTrouble({ class: "io", message: error.message })),
    ),

  publish: (request, context) =>
    Publisher.use((publisher) => publisher.publish(context.key, request)).pipe(
      Effect.map(({ where }) => event({ type: "published", where })),
      Effect.mapError((error) => new EffectTrouble({ class: error.retry ? "io" : "environment", message: error.message })),
    ),
};
