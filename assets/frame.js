// The header, the library and the status bar: clicks become events or switches of the page. Their HTML is replaced
// while they are shown, so one listener stands on the component itself.
const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a private window */ } };

const show = {
  dark: (on) => document.body.classList.toggle('dark', on),
  library: (on) => document.body.classList.toggle('library-away', !on),
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.do === 'dark') {
    show.dark(!document.body.classList.contains('dark'));
    remember('lm-dark', document.body.classList.contains('dark') ? '1' : '0');
  } else if (button.dataset.do === 'library') {
    const narrow = matchMedia('(max-width: 760px)').matches;
    if (narrow) document.body.classList.toggle('library-open');
    else {
      show.library(document.body.classList.contains('library-away'));
      remember('lm-library', document.body.classList.contains('library-away') ? '0' : '1');
    }
  } else if (button.dataset.run !== undefined) {
    document.body.classList.remove('library-open');
    trigger('select', {run: button.dataset.run});
  }
});

if (element.querySelector('header') || element.closest('#header')) {
  const dark = remembered('lm-dark');
  if (dark !== null && !new URLSearchParams(location.search).has('__theme')) show.dark(dark === '1');
  if (remembered('lm-library') === '0') show.library(false);
}
