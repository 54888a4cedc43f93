/* 拍照 and 录音纪要. A photo is made small on the phone, for a village's line; sound is recorded here where the browser may,
   else by the phone's own recorder. What is taken waits on the phone until the TV has it. */
var Media = (function () {
  'use strict';
  var SIDE = 1280, PHOTO_BYTES = 300000, VOICE_BYTES = 3000000, VOICE_MS = 180000;
  var Media = {}, taken = null, working = false, trouble = '', recorder = null, since = 0, timer = null;

  function session() { return Kept.state && Kept.state.session; }
  function again() { window.Page.draw(); }
  function fail(word) { working = false; trouble = word; again(); }
  Media.leave = function () {
    if (recorder) { recorder.cancelled = true; recorder.stop(); }
    taken = null;
    trouble = '';
    working = false;
  };
  function picker(accept, capture, text, act) {
    var label = document.createElement('label'), input = document.createElement('input');
    label.className = 'save pick';
    label.appendChild(document.createTextNode(text));
    input.type = 'file';
    input.accept = accept;
    if (capture) { input.setAttribute('capture', capture); }
    input.addEventListener('change', function () { if (input.files && input.files[0]) { act(input.files[0]); } });
    label.appendChild(input);
    return label;
  }
  function read(blob, done) {
    var reader = new FileReader();
    reader.onload = function () { done(reader.result); };
    reader.onerror = function () { fail('photo_bad'); };
    reader.readAsDataURL(blob);
  }
  function size(url) { return Math.floor((url.length - url.indexOf(',') - 1) * 3 / 4); }
  function send(path, bottom) {
    var s = session(), page = window.Page;
    bottom.appendChild(page.button('save', say(path + '_send'), function () {
      if (!s) { page.toast(say('no_session_yet')); return; }
      var stays = Line.file(path, taken, s.id, function (status, answer) { if (page.told(status, answer, say('sent'))) { Line.onState(answer); } });
      if (!stays) { page.toast(say('unsaved')); }
      page.open('home');
    }));
    bottom.appendChild(page.button('save quiet', say(path + '_again'), function () { taken = null; again(); }));
  }

  /* --- a photo --- */
  function shrink(url) {
    var picture = new Image();
    picture.onerror = function () { fail('photo_bad'); };
    picture.onload = function () {
      var scale = Math.min(1, SIDE / Math.max(picture.naturalWidth, picture.naturalHeight)), canvas = document.createElement('canvas'), quality = 0.85, made;
      do {
        canvas.width = Math.max(1, Math.round(picture.naturalWidth * scale));
        canvas.height = Math.max(1, Math.round(picture.naturalHeight * scale));
        canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
        made = canvas.toDataURL('image/jpeg', quality);
        if (quality > 0.5) { quality -= 0.12; } else { scale *= 0.8; }
      } while (size(made) > PHOTO_BYTES && canvas.width > 64);
      working = false;
      taken = made;
      again();
    };
    picture.src = url;
  }
  Media.drawPhoto = function (main, bottom) {
    var el = window.Page.el, picture;
    if (trouble) { main.appendChild(el('p', 'plain poor', say(trouble))); }
    if (working) { main.appendChild(el('p', 'plain', say('photo_wait'))); return; }
    if (taken) {
      picture = el('img', 'taken');
      picture.alt = say('photo');
      picture.src = taken;
      main.appendChild(picture);
      send('photo', bottom);
      return;
    }
    main.appendChild(picker('image/*', 'environment', say('photo_pick'), function (file) {
      working = true;
      trouble = '';
      again();
      read(file, shrink);
    }));
  };

  /* --- spoken minutes --- */
  function tooLong(url) { if (size(url) > VOICE_BYTES) { fail('voice_size'); return true; } return false; }
  function record() {
    trouble = '';
    window.navigator.mediaDevices.getUserMedia({ audio: true }).then(function (stream) {
      var parts = [], made = recorder = new window.MediaRecorder(stream, { audioBitsPerSecond: 32000 });
      since = Date.now();
      made.ondataavailable = function (event) { parts.push(event.data); };
      made.onstop = function () {
        window.clearInterval(timer);
        stream.getTracks().forEach(function (track) { track.stop(); });
        recorder = null;
        if (made.cancelled) { return; }
        read(new Blob(parts, { type: (made.mimeType || 'audio/webm').split(';')[0] }), function (url) { if (!tooLong(url)) { taken = url; again(); } });
      };
      made.start(1000);
      timer = window.setInterval(function () { if (Date.now() - since > VOICE_MS && recorder) { recorder.stop(); } else { again(); } }, 1000);
      again();
    }, function () { fail('voice_denied'); });
  }
  function clock() { var s = Math.floor((Date.now() - since) / 1000); return Math.floor(s / 60) + ':' + ('0' + s % 60).slice(-2); }
  Media.drawVoice = function (main, bottom) {
    var page = window.Page, el = page.el, sound;
    main.appendChild(el('p', 'plain', say('voice_hint')));
    if (trouble) { main.appendChild(el('p', 'plain poor', say(trouble))); }
    if (recorder) {
      main.appendChild(el('p', 'recording', say('voice_running', clock())));
      bottom.appendChild(page.button('save', say('voice_stop'), function () { if (recorder) { recorder.stop(); } }));
    } else if (taken) {
      sound = el('audio', 'taken');
      sound.controls = true;
      sound.src = taken;
      main.appendChild(sound);
      send('voice', bottom);
    } else if (window.isSecureContext && window.navigator.mediaDevices && window.MediaRecorder) {
      main.appendChild(page.button('save', say('voice_start'), record));
    } else {
      main.appendChild(picker('audio/*', 'user', say('voice_pick'), function (file) {
        trouble = '';
        if (file.size > VOICE_BYTES) { fail('voice_size'); return; }
        read(file, function (url) { taken = url; again(); });
      }));
    }
  };
  return Media;
}());
