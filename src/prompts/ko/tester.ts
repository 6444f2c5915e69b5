import type { tester as english } from "../en/tester.ts";
import type { Translated } from "../translated.ts";

export const tester: Translated<typeof english> = {
  duty: "당신은 테스터입니다. 아래 변경에 대한 테스트를 테스트 파일에만 추가하거나 보완하세요. 다른 파일에 가한 변경은 되돌려집니다. 테스트를 실행하세요. 끝으로 짧게 요약하세요.",
};
