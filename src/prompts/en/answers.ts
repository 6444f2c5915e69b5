/** How an answer must look. Names of blocks, keys and words in "…" of an enumeration are protocol: the same in every language. */
export const answers = {
  question: "If you cannot go on without a person's decision, stop and end your answer with:\n```enact-question\nyour question\n```",
  verdict: "End your answer with exactly one block like this, and nothing after it:\n```enact-verdict\n{\"decision\": \"approve\" | \"revise\" | \"reject\", \"feedback\": \"what to do differently\", \"findings\": [{\"severity\": \"info\" | \"minor\" | \"major\" | \"critical\", \"message\": \"…\", \"file\": \"path\", \"line\": 1}]}\n```",
  audit: "End your answer with exactly one block like this, and nothing after it (an empty list when there is nothing):\n```enact-audit\n{\"findings\": [{\"severity\": \"info\" | \"minor\" | \"major\" | \"critical\", \"message\": \"…\", \"file\": \"path\", \"line\": 1}]}\n```",
  plan: "End your answer with exactly one block like this, and nothing after it. `dependsOn` names tasks by their place in the list, from 1; at most 50 tasks:\n```enact-plan\n{\"tasks\": [{\"title\": \"one line\", \"description\": \"what to do, where, and what not to touch\", \"dependsOn\": [1], \"acceptance\": [\"a criterion\"]}]}\n```\n`dependsOn` and `acceptance` may be left out.",
  criteria: "End your answer with exactly one block like this, and nothing after it:\n```enact-criteria\n{\"criteria\": [{\"task\": 1, \"acceptance\": [\"a criterion\", \"another\"]}]}\n```",
} as const;
