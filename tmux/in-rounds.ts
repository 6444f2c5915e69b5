/**
 * One asking for many who ask at once: calls that come while a round is under way share the next one. So nobody is answered from what was looked at before they asked, and two
 * hundred panes that are shown together cost two looks, not two hundred.
 */
export const inRounds = <Question, Answer>(ask: (questions: readonly Question[]) => Promise<Answer>): ((question: Question) => Promise<Answer>) => {
  let next: { readonly questions: Question[]; readonly answer: Promise<Answer> } | undefined;
  let running: Promise<unknown> = Promise.resolve();
  return (question) => {
    if (next) {
      next.questions.push(question);
      return next.answer;
    }
    const questions = [question];
    const answer = running.then(() => {
      next = undefined;
      return ask(questions);
    });
    next = { questions, answer };
    running = answer.catch(() => undefined); // Those who asked hear of it.
    return answer;
  };
};
