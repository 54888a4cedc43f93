/* 手机助手 on the province's page. What is told waits on the phone until the province has it; each thing has a name of its
   own, so that sending it twice tells it once. */
(function () {
  'use strict';
  var words = document.body.dataset, base = '/api/v1/tickets/' + words.ticket + '/', KEY = 'yuanbo-helper-' + words.ticket.slice(-24);
  var SIDE = 1280, PHOTO_BYTES = 300000, VOICE_BYTES = 3000000, VOICE_MS = 180000;
  var kept = { queue: [], drafts: {} }, sending = false, timer = null, recorder = null;
  try { kept = JSON.parse(window.localStorage.getItem(KEY)) || kept; } catch (error) { /* private window */ }

  function byId(id) { return document.getElementById(id); }
  function save() { try { window.localStorage.setItem(KEY, JSON.stringify(kept)); return true; } catch (error) { return false; } }
  function toast(text) {
    byId('toast').textContent = text;
    byId('toast').className = 'shown';
    window.clearTimeout(timer);
    timer = window.setTimeout(function () { byId('toast').className = ''; }, 4000);
  }
  function line(text) { byId('line').textContent = text; byId('line').hidden = !text; }

  /* A version 4 UUID, also where a page has no crypto.randomUUID. */
  function name() {
    var bytes = window.crypto.getRandomValues(new Uint8Array(16)), text = '';
    bytes[6] = bytes[6] & 15 | 64;
    bytes[8] = bytes[8] & 63 | 128;
    for (var i = 0; i < 16; i++) { text += (i === 4 || i === 6 || i === 8 || i === 10 ? '-' : '') + ('0' + bytes[i].toString(16)).slice(-2); }
    return text;
  }
  function bytes(url) {
    var parts = url.split(','), raw = window.atob(parts[1]), made = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) { made[i] = raw.charCodeAt(i); }
    return new Blob([made], { type: 'application/octet-stream' });
  }

  function tell(one) {
    one.id = name();
    kept.queue.push(one);
    if (!save()) { toast(words.full); }
    push(true);
  }
  function push(loud) {
    if (sending || !kept.queue.length) { line(kept.queue.length ? words.waiting : ''); return; }
    var first = kept.queue[0], request = new XMLHttpRequest();
    sending = true;
    request.open('POST', base + (first.url ? 'files/' + first.kind : 'notes'));
    request.timeout = first.url ? 180000 : 20000;
    request.onload = function () { answered(first, request.status, loud); };
    request.onerror = request.ontimeout = function () { answered(first, 0, loud); };
    if (first.url) { request.setRequestHeader('Yuanbo-Note', first.id); request.send(bytes(first.url)); return; }
    request.setRequestHeader('Content-Type', 'application/json');
    request.send(JSON.stringify({ note: first }));
  }
  function answered(first, status, loud) {
    sending = false;
    var over = status === 201 || (status >= 400 && status < 500 && status !== 429 && status !== 408);
    if (over) { kept.queue.splice(kept.queue.indexOf(first), 1); save(); }
    if (status === 410 || status === 404) { kept.queue = []; save(); line(words.gone); return; }
    if (loud || status === 201) { toast(status === 201 ? words.sent : status === 429 ? words.many : status === 413 ? words.large : over ? (first.url ? words.type : words.failed) : words.kept); }
    if (over) { push(loud); } else { line(words.waiting); }
  }

  /* --- words and numbers --- */
  ['heads', 'minutes', 'question'].forEach(function (kind) {
    var form = byId(kind);
    [].forEach.call(form.querySelectorAll('input:not([type=radio]), textarea'), function (field) {
      field.value = kept.drafts[kind + field.name] || '';
      field.addEventListener('input', function () { kept.drafts[kind + field.name] = field.value; save(); });
    });
    form.addEventListener('submit', function (event) {
      event.preventDefault();
      var one = { kind: kind };
      if (kind === 'heads') {
        ['expected', 'present', 'members'].forEach(function (field) { one[field] = parseInt(form.elements[field].value || '0', 10) || 0; });
        one.roll = form.elements.roll.value;
        if (one.expected && one.present > one.expected && form.getAttribute('data-asked') !== String(one.present)) { form.setAttribute('data-asked', one.present); toast(words.more); return; }
        one.members = Math.min(one.members, one.present);
        one.public = one.members ? one.present - one.members : 0;
      } else {
        one.text = form.elements.text.value.trim();
        if (!one.text) { return; }
        form.elements.text.value = kept.drafts[kind + 'text'] = '';
      }
      tell(one);
    });
  });
  [].forEach.call(document.querySelectorAll('[data-fault]'), function (button) {
    button.addEventListener('click', function () { tell({ kind: 'fault', code: button.getAttribute('data-fault') }); });
  });

  /* --- a photo, made small here --- */
  function size(url) { return Math.floor((url.length - url.indexOf(',') - 1) * 3 / 4); }
  function read(blob, done) {
    var reader = new FileReader();
    reader.onload = function () { done(reader.result); };
    reader.readAsDataURL(blob);
  }
  byId('photo').addEventListener('change', function () {
    var input = this;
    if (!input.files[0]) { return; }
    read(input.files[0], function (url) {
      var picture = new Image();
      input.value = '';
      picture.onerror = function () { toast(words.type); };
      picture.onload = function () {
        var scale = Math.min(1, SIDE / Math.max(picture.naturalWidth, picture.naturalHeight)), quality = 0.85, canvas = document.createElement('canvas'), made;
        do {
          canvas.width = Math.max(1, Math.round(picture.naturalWidth * scale));
          canvas.height = Math.max(1, Math.round(picture.naturalHeight * scale));
          canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
          made = canvas.toDataURL('image/jpeg', quality);
          if (quality > 0.5) { quality -= 0.12; } else { scale *= 0.8; }
        } while (size(made) > PHOTO_BYTES && canvas.width > 64);
        tell({ kind: 'photo', url: made });
      };
      picture.src = url;
    });
  });

  /* --- spoken minutes: recorded here where the browser may, else by the phone's own recorder --- */
  function voice(blob) {
    if (blob.size > VOICE_BYTES) { toast(words.large); return; }
    read(blob, function (url) { tell({ kind: 'voice', url: url }); });
  }
  byId('voice').addEventListener('change', function () { if (this.files[0]) { voice(this.files[0]); this.value = ''; } });
  if (window.isSecureContext && window.navigator.mediaDevices && window.MediaRecorder) {
    byId('record').hidden = false;
    byId('recorder').hidden = true;
    byId('record').addEventListener('click', function () {
      var button = this, start = button.getAttribute('data-start') || button.textContent;
      button.setAttribute('data-start', start);
      if (recorder) { recorder.stop(); return; }
      window.navigator.mediaDevices.getUserMedia({ audio: true }).then(function (stream) {
        var parts = [], over = window.setTimeout(function () { if (recorder) { recorder.stop(); } }, VOICE_MS);
        recorder = new window.MediaRecorder(stream, { audioBitsPerSecond: 32000 });
        recorder.ondataavailable = function (event) { parts.push(event.data); };
        recorder.onstop = function () {
          window.clearTimeout(over);
          stream.getTracks().forEach(function (track) { track.stop(); });
          recorder = null;
          button.textContent = start;
          button.className = 'main quiet';
          voice(new Blob(parts));
        };
        recorder.start(1000);
        button.textContent = button.getAttribute('data-stop');
        button.className = 'main on';
      }, function () { toast(words.denied); });
    });
  }

  push(false);
  window.setInterval(function () { push(false); }, 10000);
}());
