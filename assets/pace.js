// When the page looks at the disk again: after as many seconds as the server wants, seldom while nobody sees the page, and
// at once when somebody does again. A look is one small request; what that cannot bring, an event of Gradio's does.
const PATIENCE = 30_000; // milliseconds
let next = null, session = '', isLooking = false;

const wait = () => {
  const {seconds, hidden_seconds: hidden, is_over: isOver} = props.value;
  session = props.value.session || session;
  clearTimeout(next);
  if (isOver) location.reload();
  if (seconds) next = setTimeout(look, 1000 * (document.hidden ? hidden : seconds));
};

// What the components show now, by their ids; null where it takes the event.
const ask = async () => {
  const query = new URLSearchParams(location.search);
  query.set('session_hash', session);
  query.set('heard', Object.keys(window.lmTold));
  try {
    const answer = await fetch(`look?${query}`, {signal: AbortSignal.timeout(PATIENCE)});
    return answer.status === 200 ? await answer.json() : null;
  } catch { return null; }
};

const look = async () => {
  wait();
  if (isLooking) return;
  isLooking = true;
  const told = session ? await ask() : null;
  isLooking = false;
  if (!told) trigger('look');
  else for (const [id, value] of Object.entries(told)) window.lmTold[id](value);
};

whenTold(wait);
let soon = null; // several components come at once
document.addEventListener('lm-told', () => {
  clearTimeout(soon);
  if (session) soon = setTimeout(look, 0);
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden || !props.value.seconds) wait(); else look();
});
wait();
