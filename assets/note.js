// The coach's remarks: a press of a button in them is an event of its name. Their HTML is replaced while it is shown, so
// one listener stands on the component itself.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (!button) return;
  button.disabled = true;
  trigger(button.dataset.act);
});
