// When the page looks at the disk again: after as many seconds as the server wants, seldom while nobody sees the page, and
// at once when somebody does again.
let next = null;

const wait = () => {
  const {seconds, hidden_seconds: hidden, is_over: isOver} = props.value;
  clearTimeout(next);
  if (isOver) location.reload();
  if (seconds) next = setTimeout(look, 1000 * (document.hidden ? hidden : seconds));
};
const look = () => {
  trigger('look');
  wait();
};

watch('value', wait);
document.addEventListener('visibilitychange', () => {
  if (document.hidden || !props.value.seconds) wait(); else look();
});
wait();
