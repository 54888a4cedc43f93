/* What lies over the picture for a moment: a number being typed, three faces after a programme, the next programme's card. */
(function () {
  'use strict';
  var Views = TV.Views, byId = Views.byId, setText = Views.setText, show = Views.show;
  var DIGITS = 4, TYPING_MS = 1800, FOUND_MS = 2500, FACES_MS = 12000;
  var Overlays = TV.Overlays = {};

  /* --- a programme's number, typed on the remote --- */
  var typed = '', typedAt = 0, asked = false, messageUntil = 0;

  Overlays.digit = function (digit) {
    if (asked || TV.perf() > typedAt + TYPING_MS) { typed = ''; asked = false; }
    typed = (typed + digit).slice(0, DIGITS);
    typedAt = TV.perf();
    messageUntil = typedAt + TYPING_MS + FOUND_MS;
    setText('number-typed', typed);
    setText('number-title', '');
    if (typed.length === DIGITS) { typedAt = -TYPING_MS; }
  };
  Overlays.typing = function () { return typed !== '' && !asked; };
  /* The number is whole: after a moment, after four digits, or because OK was pressed. */
  Overlays.dueNumber = function (now) { return Overlays.typing() && (now || TV.perf() > typedAt + TYPING_MS); };
  Overlays.takeNumber = function () { asked = true; return String(parseInt(typed, 10)); };
  Overlays.numberIs = function (title) { setText('number-title', title); messageUntil = TV.perf() + FOUND_MS; };
  Overlays.dropNumber = function () { typed = ''; asked = false; messageUntil = 0; };

  /* --- three faces, one key --- */
  var facesUntil = 0, facesFor = null;
  Overlays.askFace = function (programme) {
    facesFor = programme;
    facesUntil = TV.perf() + FACES_MS;
    setText('faces-title', programme.title);
    setText('faces-ask', TV.say('faces_ask'));
    setText('face-poor', TV.say('face_poor'));
    setText('face-fair', TV.say('face_fair'));
    setText('face-good', TV.say('face_good'));
    setText('faces-skip', TV.say('faces_skip'));
  };
  Overlays.faces = { left: 'poor', ok: 'fair', right: 'good' };
  Overlays.rate = function (face) {
    var programme = facesFor;
    facesFor = null;
    if (face && programme) { TV.post('/api/likings', { release: programme.release, face: face }, function () {}); }
  };
  Overlays.facesOver = function () { return facesFor !== null && TV.perf() > facesUntil; };

  /* --- the card of what comes next --- */
  function nextCard(state, now, quiet) {
    var next = state && state.upcoming && state.upcoming[0], lead = state && state.next_card_ms;
    var due = !quiet && lead && next && now !== null && next.starts_ms - now <= lead && next.starts_ms > now;
    show('next-card', due);
    if (!due) { return; }
    setText('next-card-label', TV.say('next_card', Math.max(1, Math.ceil((next.starts_ms - now) / 1000))));
    setText('next-card-title', next.title);
    setText('next-card-section', TV.name(next.section_names));
    var picture = byId('next-card-poster'), wanted = next.poster || '';
    if (picture.getAttribute('data-of') !== wanted) {
      picture.setAttribute('data-of', wanted);
      if (wanted) { picture.src = wanted; } else { picture.removeAttribute('src'); }
      picture.classList.toggle('shown', !!wanted);
    }
  }

  Overlays.paint = function (state, now, where) {
    show('number', messageUntil > TV.perf());
    show('faces', where === 'faces');
    nextCard(state, now, where !== 'watch' || !(state && state.item && (state.item.source === 'filler' || state.item.source === 'fill' || state.item.source === 'slate')));
  };
}());
