"""The words of the left side of the Train tab: recipes, the time dial, what a run comes to, the same elsewhere."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "choose.recipes": ("All recipes", "すべてのレシピ"),
    "choose.source": ("From", "出典"),
    "choose.published": ("Published", "公表値"),
    "choose.ours": ("How ours differs", "本アプリとの違い"),
    "choose.here": ("{duration} on two cores", "2コアで{duration}"),
    "choose.seconds": ("seconds", "数秒"),
    "choose.minutes": ("minutes", "数分"),
    "choose.hours": ("hours", "数時間"),
    "choose.days": ("days", "数日"),
    "choose.more": ("more about it", "くわしく"),
    "dial.title": ("Or: the best model in", "または、この時間で最良のモデル"),
    "dial.minutes": ("{n} min", "{n}分"),
    "dial.hour": ("1 hour", "1時間"),
    "dial.aim": (
        "The best model in {n} {n:minute|minutes}, or sooner where more would only be learnt by heart",
        "{n}分で最良のモデル(それ以上は丸暗記になるときは、早く終わります)",
    ),
    "dial.trying": (
        "Trying sizes on this machine …",
        "この計算機でモデルの大きさを試しています……",
    ),
    "dial.busy": (
        "A training is under way, so no speed can be measured; stop it first, or wait for its end",
        "学習中は速度を測れません。先に停止するか、終わるまでお待ちください",
    ),
    "plan.parameters": ("parameters", "パラメータ"),
    "plan.memory": ("memory", "メモリ"),
    "plan.readings": ("readings of the text", "読む回数"),
    "plan.time": ("on this machine", "この計算機で"),
    "plan.per": ("{n} training tokens for each parameter", "パラメータ1個あたり学習トークン {n} 個"),
    "plan.measuring": ("Timing a few steps on this machine …", "この計算機で数ステップを測っています……"),
    "plan.later": (
        "How long it takes is measured when nothing is being trained.",
        "所要時間は、学習が行われていないときに測ります。",
    ),
    "plan.shared": (
        "On a shared machine nothing is timed beforehand; how long it takes is shown soon after the start.",
        "共用マシンでは所要時間を前もって測りません。学習がはじまると、まもなく表示されます。",
    ),
    "plan.unfit": (
        "What it comes to can be said when the settings fit together; below stands what does not.",
        "見積もりは、設定がそろうと出ます。合わないところは下にあります。",
    ),
    "plan.about": ("About {time}.", "約{time}。"),
    "plan.seconds": ("{n} seconds", "{n}秒"),
    "plan.minutes": ("{n} minutes", "{n}分"),
    "plan.minute": ("one minute", "1分"),
    "plan.hours": ("{n} hours", "{n}時間"),
    "plan.days": ("{n} days", "{n}日"),
    "plan.part": (
        "It sees {percent} % of the text in that time; more time teaches it more.",
        "この時間ではテキストの {percent} % を見ます。時間を延ばすほどよく学びます。",
    ),
    "plan.well": (
        "It reads the text {n} {n:time|times}: often enough to learn from, too seldom to recite it.",
        "テキストを {n} 回読みます。学ぶには十分で、暗記するほどではありません。",
    ),
    "plan.recite": (
        "This text is small for it: expect it to start reciting after about {n} {n:reading|readings}.",
        "このモデルにはテキストが小さめです。{n} 回ほど読むと丸暗記がはじまる見込みです。",
    ),
    "plan.no_room": (
        "A step needs {need} GB and {free} GB are free: take a smaller batch, a shorter context or a smaller model.",
        "1ステップに {need} GB 必要ですが、空きは {free} GB です。バッチ、文脈長、モデルのどれかを小さくしてください。",
    ),
    "plan.show": ("Show {label}", "「{label}」を表示"),
    "elsewhere.title": ("The same from the command line or Python", "同じことをコマンドラインや Python で"),
    "elsewhere.command": ("On the command line", "コマンドライン"),
    "elsewhere.python": ("In Python", "Python"),
    "elsewhere.link": ("As a link", "リンク"),
    "elsewhere.file": ("As a file", "ファイル"),
    "elsewhere.save": ("Save settings", "設定を保存"),
    "elsewhere.load": ("Open settings", "設定を開く"),
    "elsewhere.copy": ("Copy", "コピー"),
    "elsewhere.copied": ("Copied", "コピーしました"),
}

# rule of `lm.preflight`: what it says in Japanese; the English stands there.
ADVICE = {
    "lr_high": "学習率 {lr:g} はこの大きさのモデルには高めです。ふつうは {wise:.2g} で、曲線が跳ねたら高すぎます。",
    "lr_low": "学習率 {lr:g} はこの大きさのモデルには低めで、学習が遅くなります。ふつうは {wise:.2g} です。",
    "muon_lr_high": "Muon の学習率 {muon_lr:g} は高めです。ふつうは 0.02 です。",
    "dropout_half": "ドロップアウト {dropout:g} は毎回モデルの半分以上を捨てます。ふつうは 0.1〜0.3 です。",
    "dropout_unread": "ドロップアウト {dropout:g} は丸暗記を防ぎますが、この学習が読むのはテキストの {percent:.0f} % だけです。"
    "0 のほうが速く学びます。",
    "block_size_long": "文脈長 {block_size} では、測定に使う窓が {windows} 個しか取れません。短く、たとえば {wise} にすると"
    "正確に測れます。",
    "vocab_size_large": "語彙数 {vocab_size} は {characters:,} 文字には大きすぎ、ほとんどのトークンは学べるほど現れません。"
    "{wise} 以下にしてください。",
    "vocabulary_published": "{tokenizer} の語彙は約 {vocabulary} ですが、このテキストが使うのは一部です。keep_ids=used なら使うものだけ、"
    "bpe なら専用の語彙を学びます。",
    "text_short": "{characters:,} 文字のテキストは、文脈長 {block_size} の窓一つにも足りそうにありません。学習をはじめられないことがあります。"
    "もっと長いテキストを使ってください。",
    "nothing_held_out": "取り置く割合が 0 だと未見テキストで測れず、丸暗記がはじまっても分かりません。",
    "head_size": "1ヘッドあたり {head_size} 個の数は珍しい設定です。ふつうは 16〜128 です。",
    "warmup_long": "ウォームアップ {warmup:g} に対して全体は {steps} ステップです。学習率が目標まで上がりません。",
    "eval_rare": "評価の間隔 {eval_interval} は全体の {steps} ステップより長く、最後にしか測られません。",
    "no_class": "arch={arch} と n_experts={n_experts} の組み合わせに合う transformers のクラスがありません。ここでは使えますが、"
    "書き出しも共有もできません。共有するには {cures} にしてください。",
    "batch_whole": "1ステップで {tokens:,} トークンを読みます。テキスト全体({characters:,} 文字)より多い量です。",
}

# recipe: (title, about) in Japanese; the English stands in `lm.recipes`.
RECIPES = {
    "quickstart": (
        "クイックスタート：数分で最良のモデル",
        "小さな今風の GPT。文字単位、長いか数回しか読まないテキストではバイト対。2コア・数分に合わせてあります。",
    ),
    "chapter19": (
        "Transformer from scratch 第19章",
        "細い6層。cl100k_base の語彙のうち、テキストの最大番号までを使います。",
    ),
    "verdict": (
        "書籍：The Verdict で GPT-2",
        "GPT-2 124M で短編を学びます。暗記は進み、検証損失はほとんど下がりません。",
    ),
    "bigram": ("バイグラム(基準)", "次に来る文字の表だけ。言語モデルが知りうる最小限です。"),
    "llm0": ("llm0 の Transformer", "4層、埋め込み共有、ドロップアウト、ラベル平滑化、早期終了。Tiny Shakespeare。"),
    "llm0-large": ("llm0 の Transformer(大)", "512文字・6層。メモで動かなかったものを、バッチを分けて動かします。"),
    "soseki": ("夏目漱石を文字単位で", "『吾輩は猫である』の文字で学ぶ6層のモデル。"),
    "gpt-mini": ("GPT(ミニ)", "バイト対1000、幅128、4層。すべてを備えた最小の GPT です。"),
    "gpt2-small": ("GPT-2 small", "OpenAI の最小の GPT-2(1億2400万パラメータ)を一から。"),
    "nanogpt-cpu": ("nanoGPT(ノートPC)", "README の CPU 用の設定。Tiny Shakespeare で短い2000ステップ。"),
    "nanogpt-gpu": ("nanoGPT(GPU)", "README の GPU 用の設定。6層、5000ステップ、Tiny Shakespeare。"),
}
