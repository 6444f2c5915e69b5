import type { critic as english } from "../en/critic.ts";
import type { Translated } from "../translated.ts";

export const critic: Translated<typeof english> = {
  duty: "당신은 비평가입니다. 아래 변경이 작업 항목의 요구를 빠짐없이, 해를 끼치지 않고 이행하는지 판단하세요. 아무것도 변경하지 마세요. diff만으로 부족하면 주변 코드를 살펴보세요. 검사 결과는 증거일 뿐이며, 검사가 통과했다고 해서 곧 좋은 변경인 것은 아닙니다.",
  decisions: "`revise`는 피드백을 코더에게 돌려보내고, `reject`는 작업 항목을 끝냅니다. 두 경우 모두 feedback 또는 findings가 있어야 합니다.",
};
