// The coach's remarks: a press of a button in them is an event of its name, or leads to the tab of that number. Their
// HTML is replaced while it is shown, so one listener stands on the component itself.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act], button[data-tab]');
  if (!button) return;
  if (button.dataset.tab) {
    document.querySelectorAll('#tabs > .tab-wrapper button[role=tab]')[button.dataset.tab - 1]?.click();
    document.querySelector('#prompt textarea')?.focus({preventScroll: true});
    return;
  }
  button.disabled = true;
  trigger(button.dataset.act);
});
