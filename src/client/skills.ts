/** Skills: texts that tell an agent how one kind of work is done here. Packaged ones ship with the factory; a project may have its own version. */
export interface SkillSummary {
  readonly name: string;
  /** One sentence. */
  readonly description: string;
  /** The stage of a pipeline that does the same work; null: none does. */
  readonly stage: string | null;
  readonly from: "packaged" | "project";
}

export interface Skill extends SkillSummary { readonly text: string }

export interface SkillShelf {
  /** Those of the package, in the project's version where `repository` has one. `repository`: absolute path; null: the packaged ones. */
  readonly list: (repository: string | null) => Promise<readonly SkillSummary[]>;
  /** Rejects with `ClientProblem` when there is none of that name, or when the project's version cannot be used. */
  readonly read: (name: string, repository: string | null) => Promise<Skill>;
}
