import { Context, Data, type Effect } from "effect";
import type { Check, CheckReport } from "../domain/check.ts";

/** No sandbox works here and `verify.sandbox` is not "off": nothing was run. */
export class SandboxMissing extends Data.TaggedError("SandboxMissing")<{ readonly message: string; readonly mend: string }> {}
/** The checks could not be run at all (git, disk). Not a statement about the work. */
export class VerifyIo extends Data.TaggedError("VerifyIo")<{ readonly message: string }> {}

export interface VerifyRequest { readonly repository: string; readonly base: string; readonly head: string }

export interface VerifierShape {
  /** The project's own checks, from the configuration or found in the commit. */
  readonly checks: (repository: string, commit: string) => Effect.Effect<readonly Check[], VerifyIo>;
  /** Runs them on base and head (each result cached per commit) and says what is new. */
  readonly run: (request: VerifyRequest) => Effect.Effect<CheckReport, SandboxMissing | VerifyIo>;
}
export class Verifier extends Context.Service<Verifier, VerifierShape>()("enact-factory/ports/Verifier") {}
