import type { answers as english } from "../en/answers.ts";
import type { Translated } from "../translated.ts";

export const answers: Translated<typeof english> = {
  question: "사람의 결정 없이는 더 진행할 수 없다면, 작업을 멈추고 답변을 다음과 같이 끝내세요.\n```enact-question\n질문 내용\n```",
  verdict: "답변을 다음과 같은 블록 정확히 하나로 끝내고, 그 뒤에는 아무것도 쓰지 마세요.\n```enact-verdict\n{\"decision\": \"approve\" | \"revise\" | \"reject\", \"feedback\": \"다르게 해야 할 점\", \"findings\": [{\"severity\": \"info\" | \"minor\" | \"major\" | \"critical\", \"message\": \"…\", \"file\": \"path\", \"line\": 1}]}\n```",
  audit: "답변을 다음과 같은 블록 정확히 하나로 끝내고, 그 뒤에는 아무것도 쓰지 마세요. 발견한 것이 없으면 빈 목록을 쓰세요.\n```enact-audit\n{\"findings\": [{\"severity\": \"info\" | \"minor\" | \"major\" | \"critical\", \"message\": \"…\", \"file\": \"path\", \"line\": 1}]}\n```",
  plan: "답변을 다음과 같은 블록 정확히 하나로 끝내고, 그 뒤에는 아무것도 쓰지 마세요. `dependsOn`은 먼저 끝나야 하는 과제를 목록에서의 순서로 가리키며, 순서는 1부터 셉니다. 과제는 최대 50개입니다.\n```enact-plan\n{\"tasks\": [{\"title\": \"한 줄 제목\", \"description\": \"무엇을 어디에서 해야 하고 무엇을 건드리지 말아야 하는지\", \"dependsOn\": [1], \"acceptance\": [\"완료 기준\"]}]}\n```\n`dependsOn`과 `acceptance`는 생략할 수 있습니다.",
  criteria: "답변을 다음과 같은 블록 정확히 하나로 끝내고, 그 뒤에는 아무것도 쓰지 마세요.\n```enact-criteria\n{\"criteria\": [{\"task\": 1, \"acceptance\": [\"완료 기준\", \"또 다른 기준\"]}]}\n```",
};
