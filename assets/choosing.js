// The left side of the Train tab: a recipe or a time is chosen, a setting is shown, a text is copied.
const COPIED_MS = 1600;

// What `find` finds, as soon as it is there.
const awaited = (find) => new Promise((resolve) => {
  const look = () => { const found = find(); if (found) resolve(found); else requestAnimationFrame(look); };
  look();
});

// An accordion that has just been made closes once more by itself: it is pressed until it stays open.
async function opened(find) {
  const bar = await awaited(find);
  for (let tries = 0; tries < 10 && !bar.classList.contains('open'); tries += 1) {
    bar.click();
    await new Promise((resolve) => { setTimeout(resolve, 120); });
  }
}

// The accordions that hold a setting open one after the other: the inner is there only when the outer is open.
async function show(id, group) {
  const side = element.closest('.side');
  await opened(() => side.querySelector('.settings .label-wrap'));
  const isIts = (bar) => bar.firstElementChild.textContent.trim() === group;
  await opened(() => [...side.querySelectorAll('.group > .label-wrap')].find(isIts));
  const field = await awaited(() => document.getElementById(id));
  field.scrollIntoView({block: 'center'});
  field.querySelector('input, textarea')?.focus({preventScroll: true});
}

async function copy(button) {
  const source = button.parentElement.querySelector('pre');
  await navigator.clipboard.writeText(source.textContent);
  const words = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = words; }, COPIED_MS);
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {recipe, minutes, show: place, group} = button.dataset;
  if (recipe) trigger('select', {recipe});
  if (minutes) trigger('select', {minutes: Number(minutes)});
  if (place) show(place, group);
  if (button.dataset.copy !== undefined) copy(button);
});

// A link begins with where this page is.
if (element.closest('#command')) {
  watch('value', () => {
    const link = element.querySelector('pre.link');
    if (link) link.textContent = location.origin + location.pathname + link.textContent;
  });
}

// What is wrong stands at its setting, too: by a rule, for a setting in a closed group is not there yet.
if (element.closest('#command')) {
  const marks = document.head.appendChild(document.createElement('style'));
  const quoted = (words) => `"${words.replace(/["\\]/g, '\\$&')}"`;
  watch('value', () => {
    const wrong = [...element.querySelectorAll('[data-wrong]')].map(({dataset, textContent}) => [CSS.escape(dataset.wrong), textContent]);
    const edge = '{ border-left: 3px solid var(--red) !important; padding-left: 9px !important; }';
    const told = 'display: block; margin-top: 6px; font-size: 13px; color: var(--red);';
    marks.textContent = wrong.map(([id, words]) => `#${id} ${edge} #${id}::after { content: ${quoted(words)}; ${told} }`).join(' ');
  });
}

// What is unwise is marked where it is set, too: by a rule, for a setting in a closed group is not there yet.
if (element.closest('#plan')) {
  const marks = document.head.appendChild(document.createElement('style'));
  watch('value', () => {
    const unwise = [...element.querySelectorAll('[data-show]')].map(({dataset}) => `#${CSS.escape(dataset.show)}`);
    const rule = '{ border-left: 3px solid var(--gold) !important; padding-left: 9px !important; }';
    marks.textContent = unwise.length ? `${unwise.join()} ${rule}` : '';
  });
}
