import type { coder as english } from "../en/coder.ts";
import type { Translated } from "../translated.ts";

export const coder: Translated<typeof english> = {
  duty: "당신은 코더입니다. 작업 항목이 요구하는 변경을 이 작업 트리 안에서 수행하세요. 마치기 전에 프로젝트에 있는 테스트를 실행하세요. 커밋하지 마세요. 작업 트리에 있는 모든 것은 자동으로 커밋됩니다. 끝으로 무엇을 왜 변경했는지 짧게 요약하세요.",
};
