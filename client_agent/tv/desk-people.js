/* 管理员 A/B: who is signed in, setting up, changing over. Desk.need(then) asks for a PIN where nobody is signed in. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el, stop = Views.stop;
  TV.words({
    people: '管理员', people_none: '还没有设管理员', people_out: '没有人登录', people_in: '{0} 已登录', post_a: 'A 岗', post_b: 'B 岗',
    person_in: '已登录', person_switch: '按 OK 输入密码登录', person_new: '按 OK 设密码', person_absent: '还没有，按 OK 添加', person_wait: '输错太多，{0} 分钟后再试', person_unnamed: '（没有填姓）',
    person_sign_out: '退出登录', person_pin: '改我的密码', person_other_pin: '重设 {0} 的密码', person_hand_over: '{0} 换人（交接）', person_name: '改 {0} 的姓',
    pin_of: '{0}　请输入密码', pin_new: '{0}　新密码：4 到 6 个数字', pin_again: '再输一遍新密码', pin_differ: '两遍不一样，请重新设',
    pin_wrong: '密码不对', pin_locked: '输错太多，请过 {0} 分钟再试', pin_easy: '太容易猜，换几个数字', pin_form: '密码是 4 到 6 个数字', pin_failed: '现在不行，请再试一次',
    surname: '{0}　姓什么？', surname_about: '全名可请技术员在盒子上填', surname_none: '不填', who_are_you: '您是哪一位？', signed_in_as: '{0} 已登录', signed_out: '已退出登录', person_kept: '已记下',
    first_pin_about: '第一次使用：先给 A 岗管理员设密码，改记录、改计划时要用', people_hint: '看节目、开班都不用密码；改记录、改计划、换人要用。20 分钟不按键自动退出。忘了密码：请另一位管理员重设，或请技术员在盒子上清掉。'
  }, {
    people: 'Administrators', people_none: 'No administrator yet', people_out: 'Nobody is signed in', people_in: '{0} is signed in', post_a: 'Post A', post_b: 'Post B',
    person_in: 'Signed in', person_switch: 'OK: sign in with the PIN', person_new: 'OK: set a PIN', person_absent: 'Nobody yet; OK adds one', person_wait: 'Too many wrong tries; again in {0} min', person_unnamed: '(no name yet)',
    person_sign_out: 'Sign out', person_pin: 'Change my PIN', person_other_pin: 'Reset the PIN of {0}', person_hand_over: '{0}: somebody else takes over', person_name: 'Name of {0}',
    pin_of: '{0}: your PIN', pin_new: '{0}: a new PIN of 4 to 6 digits', pin_again: 'The new PIN again', pin_differ: 'They differ; once more',
    pin_wrong: 'Wrong PIN', pin_locked: 'Too many wrong tries; again in {0} min', pin_easy: 'Too easy to guess', pin_form: 'A PIN has 4 to 6 digits', pin_failed: 'Not now; try again',
    surname: '{0}: which family name?', surname_about: 'A technician can type the full name on the box', surname_none: '–', who_are_you: 'Who are you?', signed_in_as: '{0} is signed in', signed_out: 'Signed out', person_kept: 'Noted',
    first_pin_about: 'First use: set the PIN of administrator A, needed to correct the log and to change the plan', people_hint: 'Watching and study need no PIN; correcting the log, changing the plan and changing people do. Signed out after 20 minutes without a key. A forgotten PIN: the other administrator resets it, or a technician on the box.'
  });
  var SURNAMES = '王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂焦向柳邢路岳齐梅莫庄辛管祝左涂谷祁时舒耿牟卜';
  var KEY_EVERY_MS = 60000, keyAt = -Infinity, who = '', name = '', known = null;

  function minutes(ms) { return Math.max(1, Math.ceil(ms / 60000)); }
  function label(one) { return one.post + (one.name ? ' ' + one.name : ''); }
  function find(people, post) { return people.filter(function (one) { return one.post === post; })[0] || null; }
  function post_word(post) { return TV.say(post === 'A' ? 'post_a' : 'post_b'); }
  function heard(told, acts) {
    var mine = find(told.people, told.who);
    who = told.who;
    name = mine ? label(mine) : '';
    Desk.told.people = told;
    if (acts) { acts.redraw(); }
  }

  /* --- a PIN --- */
  function askPin(one, then) {
    Desk.pad({
      title: TV.say('pin_of', label(one)), secret: true, min: 4, max: 6,
      about: one.wait_ms ? TV.say('pin_locked', minutes(one.wait_ms)) : '',
      then: function (pin, again) {
        TV.post('/api/desk/sign-in', { post: one.post, pin: pin }, function (status, answer) {
          if (status === 200) { heard(answer); TV.toast(TV.say('signed_in_as', label(one))); then(); return; }
          var word = (answer && answer.error) || '';
          if (word !== 'pin-locked') { again(TV.say(word === 'pin-wrong' ? 'pin_wrong' : 'pin_failed')); return; }
          TV.get('/api/desk/people', function (ok, told) {
            var now = ok === 200 && find(told.people, one.post);
            again(TV.say('pin_locked', minutes(now ? now.wait_ms : 60000)));
          });
        });
      }
    });
  }
  function newPin(post, name, about, then) {
    Desk.pad({
      title: TV.say('pin_new', name), about: about, secret: true, min: 4, max: 6,
      then: function (pin, refuse) {
        Desk.pad({
          title: TV.say('pin_again'), secret: true, min: 4, max: 6,
          left: function () { refuse(''); },
          then: function (again) {
            if (again !== pin) { refuse(TV.say('pin_differ')); return; }
            then(pin, refuse);
          }
        });
      }
    });
  }
  function keep(asked, then, refuse) {
    TV.post('/api/desk/people', asked, function (status, answer) {
      if (status === 201) { heard(answer); then(); return; }
      var word = (answer && answer.error) || '';
      if (word === 'sign-in') { Desk.need(function () { keep(asked, then, refuse); }); return; }
      refuse(TV.say(word === 'pin-easy' ? 'pin_easy' : word === 'pin-form' ? 'pin_form' : 'pin_failed'));
    });
  }
  function surname(post, then) {
    var options = [{ name: '', text: TV.say('surname_none') }];
    SURNAMES.split('').forEach(function (one) { options.push({ name: one, text: one }); });
    Desk.choose({ title: TV.say('surname', post_word(post)), about: TV.say('surname_about'), options: options, columns: 10, then: then });
  }
  /* A new person in a post: his name, his PIN, and he is signed in. */
  function setUp(post, about, then) {
    surname(post, function (name) {
      newPin(post, post + ' ' + name, about, function (pin, refuse) {
        keep({ post: post, name: name, pin: pin }, function () {
          TV.post('/api/desk/sign-in', { post: post, pin: pin }, function (status, answer) {
            if (status === 200) { heard(answer); }
            TV.toast(TV.say('person_kept'));
            then();
          });
        }, refuse);
      });
    });
  }

  /* Do something that needs a person: at once when one is signed in, else after a PIN. */
  Desk.need = function (then) {
    TV.get('/api/desk/people', function (status, told) {
      if (status !== 200) { TV.toast(TV.say('pin_failed')); return; }
      heard(told);
      if (told.who) { then(); return; }
      var known = told.people.filter(function (one) { return one.pin; });
      if (!told.people.length) { setUp('A', TV.say('first_pin_about'), then); return; }
      if (!known.length) { fresh(told.people[0], then); return; }
      if (known.length === 1) { askPin(known[0], then); return; }
      Desk.choose({
        title: TV.say('who_are_you'), options: known.map(function (one) { return { name: one.post, text: label(one) }; }),
        then: function (post) { askPin(find(known, post), then); }
      });
    });
  };
  /* A PIN that a technician took away. */
  function fresh(one, then) {
    newPin(one.post, label(one), '', function (pin, refuse) {
      keep({ post: one.post, pin: pin }, function () { TV.toast(TV.say('person_kept')); askPin(one, then); }, refuse);
    });
  }

  /* --- the page --- */
  function card(told, post, acts) {
    var one = find(told.people, post), mine = told.who === post;
    var how = !one ? 'person_absent' : mine ? 'person_in' : !one.pin ? 'person_new' : one.wait_ms ? 'person_wait' : 'person_switch';
    return stop('person-' + post, 'person' + (mine ? ' mine' : ''), function () {
      function done() { acts.again(); }
      if (!one) { if (post === 'A') { setUp('A', TV.say('first_pin_about'), done); } else { Desk.need(function () { addOther(post, acts); }); } }
      else if (!one.pin) { fresh(one, done); } else if (!mine) { askPin(one, done); }
    }, [el('b', 'person-post', post), el('div', 'person-text', null, el('b', '', one ? one.name || TV.say('person_unnamed') : post_word(post)), el('span', '', TV.say(how, one ? minutes(one.wait_ms) : 0)))]);
  }
  /* The other one chooses his PIN himself; whoever is signed in stays so. */
  function addOther(post, acts) {
    surname(post, function (name) {
      newPin(post, post + ' ' + name, '', function (pin, refuse) {
        keep({ post: post, name: name, pin: pin }, function () { TV.toast(TV.say('person_kept')); acts.again(); }, refuse);
      });
    });
  }
  function deeds(told, acts) {
    var out = [], mine = find(told.people, told.who);
    function deed(name, words, act) { out.push([stop('deed-' + name, 'setting', act, [el('span', '', words)])]); }
    function again() { TV.toast(TV.say('person_kept')); acts.again(); }
    if (!mine) { return out; }
    deed('out', TV.say('person_sign_out'), function () {
      TV.post('/api/desk/sign-out', {}, function (status, answer) { if (status === 200) { heard(answer); TV.toast(TV.say('signed_out')); acts.again(); } });
    });
    deed('pin', TV.say('person_pin'), function () {
      newPin(mine.post, label(mine), '', function (pin, refuse) { keep({ post: mine.post, pin: pin }, again, refuse); });
    });
    told.people.forEach(function (one) {
      if (one.post !== mine.post) {
        deed('other-pin', TV.say('person_other_pin', label(one)), function () {
          newPin(one.post, label(one), '', function (pin, refuse) { keep({ post: one.post, pin: pin }, again, refuse); });
        });
      }
    });
    told.people.forEach(function (one) {
      deed('hand-over-' + one.post, TV.say(one.name ? 'person_hand_over' : 'person_name', label(one)), function () {
        if (!one.name) { surname(one.post, function (name) { if (name) { keep({ post: one.post, name: name }, again, TV.toast); } }); return; }
        addOther(one.post, acts);
      });
    });
    return out;
  }

  Desk.add({
    name: 'people', order: 50, title: 'people', load: '/api/desk/people', footer: 'keys_desk',
    about: function () {
      var told = Desk.told.people;
      if (!told) { return TV.say('people_out'); }
      var mine = find(told.people, told.who);
      return !told.people.length ? TV.say('people_none') : mine ? TV.say('people_in', label(mine)) : TV.say('people_out');
    },
    icon: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zm-6 9c0-3.5 2.7-6 6-6s6 2.5 6 6M16 4.3a3.5 3.5 0 0 1 0 6.4M17.5 14.3c2.1.8 3.5 2.9 3.5 5.7',
    /* Two presses to change over: the page opens on whoever is not signed in. */
    wanted: function () { return who === 'A' ? 'person-B' : 'person-A'; },
    draw: function (main, told, acts) {
      if (!told) { return []; }
      heard(told);
      var row = [card(told, 'A', acts), card(told, 'B', acts)], line = el('div', 'persons', null, row[0], row[1]), list = el('div', 'settings');
      var more = deeds(told, acts);
      more.forEach(function (one) { list.appendChild(one[0]); });
      main.appendChild(line);
      main.appendChild(list);
      if (!more.length) { main.appendChild(el('p', 'desk-hint', TV.say('people_hint'))); }
      if (told.who === 'A') { row.first = 1; }
      return [row].concat(more);
    }
  });

  /* Keys tell the agent that somebody is still there; the line under the header says who. */
  Desk.pressed = function () {
    if (!who || TV.perf() - keyAt < KEY_EVERY_MS) { return; }
    keyAt = TV.perf();
    TV.post('/api/desk/key', {}, function (status, answer) { if (status === 200) { who = answer.who; } });
  };
  /* What the agent said last of who is signed in; said once more, it is no news. */
  Desk.signed = function (told) {
    if (!told || told === known) { return; }
    known = told;
    who = told.who;
    name = told.name;
  };
  Desk.name = function () { return name; };
}());
