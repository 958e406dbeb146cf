// The header, the library and the status bar: clicks become events or switches of the page. Their HTML is replaced
// while they are shown, so one listener stands on the component itself, and what a person is in the middle of (a menu,
// a name being typed) stands outside of it.
const NARROW = '(max-width: 760px)'; // as in style.css: the library is a drawer there
const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a private window */ } };
const frame = () => element.closest('#frame');

const switches = {
  en() { lmSpeak('en'); },
  ja() { lmSpeak('ja'); },
  dark() {
    document.body.classList.toggle('dark');
    remember('lm-dark', document.body.classList.contains('dark') ? '1' : '0');
  },
  library() {
    const {dataset} = frame();
    if (matchMedia(NARROW).matches) {
      dataset.drawer = dataset.drawer === 'open' ? '' : 'open';
    } else {
      dataset.library = dataset.library === 'away' ? '' : 'away';
      remember('lm-library', dataset.library);
    }
  },
};

// ---- the menu of a run

let menu = null;
let awaited = null; // {gone, next}, selectors: what stands in the library now, and what will stand there instead

function closeMenu(isBack) {
  if (!menu) return;
  const {run} = menu.dataset;
  menu.remove();
  menu = awaited = null;
  if (isBack) element.querySelector(`[data-more="${CSS.escape(run)}"]`)?.focus();
}

function openMenu(button) {
  closeMenu();
  const run = button.dataset.more;
  const words = JSON.parse(element.querySelector('[data-words]').dataset.words);
  const isActive = button.dataset.active === '1';
  menu = document.createElement('div');
  menu.className = 'menu';
  menu.dataset.run = run;
  menu.setAttribute('role', 'menu');
  menu.setAttribute('aria-label', run);
  const item = (deed, act) => {
    const entry = document.createElement('button');
    entry.setAttribute('role', 'menuitem');
    entry.textContent = words[deed];
    entry.dataset.deed = deed;
    entry.addEventListener('click', act);
    menu.append(entry);
  };
  const edit = (deed, to = '') => { closeMenu(true); trigger('edit', {run, deed, to}); };
  const isPinned = button.dataset.pinned === '1';
  item(isPinned ? 'unpin' : 'pin', () => edit(isPinned ? 'unpin' : 'pin'));
  if (isActive) item('stop', () => edit('stop'));
  else {
    item('rename', () => askName(run, words, edit));
    item('delete', () => {
      closeMenu(true);
      goOn(`[data-run="${CSS.escape(run)}"]`, '[data-undo]');
      trigger('delete', {run});
    });
  }
  place(button.getBoundingClientRect());
  menu.firstChild.focus();
}

function askName(run, words, edit) {
  const form = document.createElement('form');
  const field = Object.assign(document.createElement('input'), {value: run, maxLength: 64, spellcheck: false});
  field.setAttribute('aria-label', words.rename);
  const save = Object.assign(document.createElement('button'), {textContent: words.save});
  form.append(field, save);
  // What is wrong with the name is said here too: the library may be long, and its own words far below.
  const told = document.getElementById('library-told');
  const refused = new MutationObserver(() => {
    const words = told.querySelector('.note')?.textContent || '';
    form.querySelector('.note')?.remove();
    if (words) form.append(Object.assign(document.createElement('p'), {className: 'note wrong', role: 'alert', textContent: words}));
    field.focus();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const to = field.value.trim();
    if (to === run) { closeMenu(true); return; }
    // The form stays, with what was typed, until the run has its name: another may have it.
    goOn(`[data-run="${CSS.escape(run)}"]`, `[data-run="${CSS.escape(to)}"]`);
    refused.observe(told, {childList: true, subtree: true, characterData: true});
    trigger('edit', {run, deed: 'rename', to});
  });
  menu.replaceChildren(form);
  menu.setAttribute('role', 'dialog');
  moveTo(parseFloat(menu.style.left)); // it is wider than what it takes the place of
  field.select();
}

function moveTo(left) {
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8))}px`;
}

function place(box) {
  frame().append(menu);
  moveTo(box.right - menu.offsetWidth);
  const below = box.bottom + 4;
  menu.style.top = `${below + menu.offsetHeight > innerHeight ? box.top - menu.offsetHeight - 4 : below}px`;
  menu.addEventListener('keydown', onMenuKey);
  // Later: the menu may just be exchanging what holds the focus.
  menu.addEventListener('focusout', () => setTimeout(() => { if (!menu?.contains(document.activeElement)) closeMenu(); }));
}

function onMenuKey(event) {
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (event.key === 'Escape') {
    event.stopPropagation();
    closeMenu(true);
  } else if (step && menu.getAttribute('role') === 'menu') {
    event.preventDefault();
    const items = [...menu.children];
    items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
  }
}

// ---- clicks and keys

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {dataset} = button;
  if (dataset.do) switches[dataset.do]();
  if (dataset.undo) {
    goOn(`[data-undo="${CSS.escape(dataset.undo)}"]`, '.run[aria-current]');
    trigger('undo', {entry: dataset.undo});
  }
  if (dataset.more) openMenu(button);
  if (dataset.run === undefined) return;
  frame().dataset.drawer = '';
  trigger('select', {run: dataset.run});
});

element.addEventListener('keydown', (event) => {
  const more = event.target.closest('.entry')?.querySelector('.more');
  if (!more || !['F2', 'Delete', 'ContextMenu'].includes(event.key)) return;
  event.preventDefault();
  openMenu(more);
  const wanted = {F2: 'rename', Delete: 'delete'}[event.key];
  if (wanted) menu.querySelector(`[data-deed=${wanted}]`)?.click();
});

// When what was there is gone, the focus belongs to what came of it: a run's new name, the way back to a deleted one.
const goOn = (gone, next) => { awaited = {gone, next}; };
const arrive = () => {
  const found = awaited && !element.querySelector(awaited.gone) && element.querySelector(awaited.next);
  if (!found) return false;
  awaited = null;
  closeMenu();
  found.focus();
  return true;
};

// Focus stays with its run when what holds it is replaced, or becomes another run's.
let focused = null;
element.addEventListener('focusin', ({target}) => {
  focused = ['run', 'more', 'do'].filter((key) => target.dataset[key] !== undefined)
    .map((key) => `[data-${key}="${CSS.escape(target.dataset[key])}"]`)[0] || null;
});
element.addEventListener('focusout', ({relatedTarget}) => { if (relatedTarget) focused = null; });
new MutationObserver(() => {
  if (arrive()) return;
  const holder = document.activeElement;
  const isLost = holder === document.body || (focused && element.contains(holder) && !holder.matches(focused));
  if (focused && isLost) element.querySelector(focused)?.focus();
}).observe(element, {childList: true, subtree: true, attributeFilter: ['data-run', 'data-more', 'data-undo']});

// The dot of the run that is trained beats with the looks at it.
if (element.closest('#status-bar')) {
  let beat = 0;
  whenTold(() => { element.dataset.beat = beat = 1 - beat; });
}

if (element.closest('#header')) {
  const dark = remembered('lm-dark');
  const asked = new URLSearchParams(location.search).has('__theme');
  if (dark !== null && !asked) document.body.classList.toggle('dark', dark === '1');
  frame().dataset.library = remembered('lm-library') || '';
}
