// Keys for the whole page: start, stop, write, go to a tab, and a list of them. A key that a field, a menu or a list
// uses itself stays theirs.
const shown = (selector) => {
  const found = document.querySelector(selector);
  return found && found.offsetParent !== null && !found.disabled ? found : null;
};
const press = (...selectors) => {
  const button = selectors.map(shown).find(Boolean);
  button?.click();
  return Boolean(button);
};
const tabs = () => [...document.querySelectorAll('#tabs > .tab-wrapper .tab-container:not(.visually-hidden) button[role=tab]')];
const isTyping = ({target}) => target.closest('input, textarea, [contenteditable], [role=listbox], dialog, .menu') !== null;

function help() {
  const open = document.querySelector('dialog.keys');
  if (open) return open.close();
  const dialog = document.createElement('dialog');
  dialog.className = 'keys';
  dialog.append(...element.querySelector('[data-keys]').cloneNode(true).childNodes);
  dialog.addEventListener('click', ({target}) => { if (target === dialog || target.closest('[data-close]')) dialog.close(); });
  dialog.addEventListener('close', () => dialog.remove());
  document.getElementById('frame').append(dialog);
  dialog.showModal();
}
switches.keys = help;

// A button that goes when it is pressed leaves the focus to the one that comes in its place.
const FOLLOWERS = {train: ['#stop'], stop: ['#resume', '#train'], resume: ['#stop'], 'stop-writing': ['#write']};
const LOOK_MS = 200, MOST_LOOKS = 150;
const goAlong = (id, looks = 0) => {
  const holder = document.activeElement;
  if (looks > MOST_LOOKS || (holder !== document.body && holder.id !== id)) return; // the reader has gone on
  const next = !shown(`#${id}`) && FOLLOWERS[id].map(shown).find(Boolean);
  if (next) next.focus(); else setTimeout(goAlong, LOOK_MS, id, looks + 1);
};
document.addEventListener('click', ({target, detail}) => {
  const {id} = target.closest('button') || {};
  if (!detail && FOLLOWERS[id]) setTimeout(goAlong, LOOK_MS, id); // pressed with a key
});

// A list of choices is walked through with arrows from its field. As it scrolls, the Tab key would stop at it too.
const skipLists = () => document.querySelectorAll('.option-list').forEach((list) => { list.tabIndex = -1; });

// Gradio gives each of its radio buttons a name of its own, so the browser does not know which belong together.
const turnRadio = ({key, target}) => {
  const turn = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[key];
  const box = turn && target.matches('input[type=radio]') && target.closest('fieldset, [role=radiogroup], .block');
  const all = box ? [...box.querySelectorAll('input[type=radio]:enabled')] : [];
  const next = all[(all.indexOf(target) + turn + all.length) % all.length];
  next?.focus();
  next?.click();
  return Boolean(next);
};

document.addEventListener('keydown', (event) => {
  const {key, altKey, ctrlKey, metaKey} = event;
  let isDone = !(altKey || ctrlKey || metaKey) && turnRadio(event);
  if (key === 'Tab') skipLists();
  if ((ctrlKey || metaKey) && key === 'Enter') isDone = press('#write', '#train', '#fork', '#look', '#read-files', '#read-pasted', '#read-sample');
  else if (key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog[open], .menu')) {
    isDone = press('#stop-writing') || (!isTyping(event) && press('#stop'));
  } else if (altKey && /^[1-9]$/.test(key)) {
    tabs()[Number(key) - 1]?.click();
    isDone = true;
  } else if (key === '?' && !isTyping(event)) {
    help();
    isDone = true;
  }
  if (isDone) event.preventDefault();
});

// On a Space: a sign-in at hand everywhere. The words of the hidden button say who is signed in.
function account() {
  const own = document.getElementById('account');
  const chip = element.querySelector('[data-do=account]');
  if (!own || !chip) return;
  const words = own.textContent.trim();
  if (chip.textContent !== words) chip.textContent = words;
  chip.hidden = !words;
}
switches.account = () => document.getElementById('account')?.click();
new MutationObserver(account).observe(element, {childList: true, subtree: true});
const follow = (signIn) => new MutationObserver(account).observe(signIn, {childList: true, characterData: true, subtree: true});
const found = new MutationObserver(() => { // the button is drawn after the header
  const own = document.getElementById('account');
  if (!own) return;
  found.disconnect();
  follow(own);
  account();
});
found.observe(document.body, {childList: true, subtree: true});
account();

// The worker says so when the app does not answer; without one (an old browser, plain http) nothing is missing.
navigator.serviceWorker?.register('sw.js').catch(() => {});
