import type { WriteScope } from "../domain/stage.ts";

/**
 * Which paths count as tests and as documentation. A pattern is a glob over the path inside the repository: `*` within one name,
 * `**` any directories. A pattern without a slash matches the file's name anywhere; one that ends in `/` matches a directory of that name anywhere.
 */
export interface ScopeRules { readonly tests: readonly string[]; readonly docs: readonly string[] }

export const defaultScopes: ScopeRules = {
  tests: [
    "test/", "tests/", "__tests__/", "spec/", "specs/", "testdata/", "__snapshots__/", "__fixtures__/",
    "*.test.*", "*.spec.*", "*_test.*", "test_*.py", "conftest.py", "*Test.java", "*Tests.java", "*Test.kt", "*Tests.cs", "*_spec.rb",
  ],
  docs: ["docs/", "doc/", "*.md", "*.mdx", "*.rst", "*.adoc", "*.txt", "CHANGELOG*", "LICENSE*", "NOTICE*", "AUTHORS*"],
};

/** Files that a documentation pattern matches by their ending but that steer a build. */
const neverDocs = ["requirements*.txt", "constraints*.txt", "CMakeLists.txt", "robots.txt", "CLAUDE.md", "AGENTS.md"];

const compile = (pattern: string): RegExp => {
  const directory = pattern.endsWith("/");
  const body = (directory ? pattern.slice(0, -1) : pattern).replaceAll(/\*\*\/|\*|[.+?^${}()|[\]\\]/g, (token) => token === "**/" ? "(?:[^/]+/)*" : token === "*" ? "[^/]*" : `\\${token}`);
  const anchored = (directory ? pattern.slice(0, -1) : pattern).includes("/");
  return new RegExp(`^${anchored ? "" : "(?:.*/)?"}${body}${directory ? "/.*" : ""}$`, "s");
};

/** Decides for one path whether `scope` may change it. Judged by path alone: a comment inside a source file is source. */
export const allows = (scope: WriteScope, rules: ScopeRules): (path: string) => boolean => {
  if (scope === "all") return () => true;
  if (scope === "nothing") return () => false;
  const yes = (scope === "tests" ? rules.tests : rules.docs).map(compile);
  const no = scope === "docs" ? [...neverDocs, ...rules.tests].map(compile) : [];
  return (path) => yes.some((rule) => rule.test(path)) && !no.some((rule) => rule.test(path));
};
