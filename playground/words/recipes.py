"""What the cards of recipes say in Japanese besides title and about, which stand in `choosing`."""

_RANDOM = "出典は無作為に選んだ少数の窓で測るので損失が揺れます。ここでは毎回同じ、取り置いたトークンを予測します。"

# recipe: how our measure differs from its source's.
DIFFERS = {
    "chapter19": _RANDOM
    + "章の曲線はプルリクエストの題名(324,523 文字)のものです。トークンあたりの損失は同じテキストでしか比べられないので、"
    "ビット/バイトで比べてください。(章が数える 77,919 トークンは、営業の教科書 460,319 文字のものです。)"
    "章は ReLU で曲げ、位置に正弦波を使い、出力にバイアスを付けます。ここでは GELU、学習する位置、バイアスなしで、"
    "重み減衰は埋め込み・バイアス・正規化に掛けません。",
    "verdict": "書籍は、まるごと入る窓2個ずつ、最大5バッチで測ります。ここでは取り置いたテキストの最後のトークンまで数えます。"
    "ここで残るのは最良のステップ、書籍で残るのは物語を丸暗記した最後のステップです。"
    "埋め込みを共有しないので、124M と呼ばれるこのモデルのパラメータは 162 百万(1億6200万)個です。"
    "見本は温度 0.8 で書きます。書籍は最有力のトークンを選びます。書籍の曲線は多くの可能性のうちの一つです。同じ作りの"
    "プログラムは書籍の乱数の種で小数第2位まで一致し(55 ステップを比較)、同じバッチを別の順で学習した3回は、学習損失"
    " 0.87〜1.2、検証損失 6.2〜6.4 で終わりました。",
    "bigram": "文字の対の表は、対の条件付きエントロピーより下がりません。学習の前にその下限を計算し(config.json の bigram_floor)、"
    "学習テキスト全体でそこに届きます。メモの数値は下限よりずっと低いものです。メモでは 200〜5,000 ステップで 8,192 対ずつ、"
    "ここでは長さ 8 の窓 1,024 個を 1,000 ステップです。",
    "llm0": "メモの 1.9594 と 1.9319 には、完璧なモデルでも払う平滑化の項が入っています。val_smoothed_loss と比べてください。"
    "val_loss は同じ重みの本当の損失で、1.4777 と比べるのはこちらです(--dropout 0 --label-smoothing 0)。"
    "メモの長い学習は --steps 5000 です。早期終了が効くのはそこからです。",
    "llm0-large": "比べられる数値はありません。メモではメモリが足りませんでした。書かれていない設定は llm0 のものです。",
    "soseki": "章には見本(吾輩は、夏の。温度 0.8、top-k 40)だけがあり、数値はありません。章の検証の窓は無作為で、学習の窓と重なるため、"
    "測る文が学習に漏れます。ここでは小説の終わりをまるごと取り置きます。書かれていないバッチサイズと β₂ は nanoGPT のものです。",
    "gpt-mini": "数えるとパラメータは 0.94 百万個です。ブロックに 0.79、語彙の埋め込みに 0.13 百万個。",
    "gpt2-small": "OpenAI は 40 GB のテキストで学習しました。小さなテキストでは数分で過学習します。"
    "上手に書かせるには、公開された重みからはじめてください(--init-from gpt2)。",
    "nanogpt-cpu": _RANDOM + "nanoGPT は 12 個の窓を 20 バッチ、学習と同じ乱数から選びます。",
    "nanogpt-gpu": _RANDOM + "nanoGPT は 200 バッチを選び、20 回のうち最良のものを残します。",
}

# Where a recipe comes from: only what is no name of a work.
SOURCES = {
    "this project": "このプロジェクト",
    "Transformer from scratch, chapter 19; github.com/waylandzhang/Transformer-from-scratch": (
        "Transformer from scratch 第19章、github.com/waylandzhang/Transformer-from-scratch"
    ),
    "S. Raschka, Build a Large Language Model (From Scratch), chapter 5": (
        "S. Raschka, Build a Large Language Model (From Scratch) 第5章"
    ),
    "the llm0 memo, on Tiny Shakespeare": "llm0 のメモ(Tiny Shakespeare)",
    "the llm0 memo": "llm0 のメモ",
    "the llm0 memo, which says of it: this does not run": "llm0 のメモ(「これは動かない」とある)",
    "a Japanese GPT chapter, after nanoGPT": "日本語の GPT の章(nanoGPT にならったもの)",
    "the chapters' table of sizes": "各章にある大きさの表",
    "Radford et al. 2019; rates as nanoGPT's train_gpt2": "Radford ほか 2019。学習率は nanoGPT の train_gpt2",
    "github.com/karpathy/nanoGPT, README": "github.com/karpathy/nanoGPT の README",
}

# What the published numbers are.
PUBLISHED = {
    "train loss at step 0": "ステップ 0 の学習損失",
    "validation loss at step 0": "ステップ 0 の検証損失",
    "train loss at step 499, on titles of pull requests": "ステップ 499 の学習損失(プルリクエストの題名)",
    "validation loss at step 499, on titles of pull requests": "ステップ 499 の検証損失(プルリクエストの題名)",
    "step 0 on sales-textbook, says its repository": "sales-textbook でのステップ 0(リポジトリによる)",
    "after 5,000 steps of its larger set-up, says its repository": "大きな設定で 5,000 ステップ後(リポジトリによる)",
    "characters": "文字数",
    "tokens": "トークン数",
    "train loss before training": "学習前の学習損失",
    "validation loss before training": "学習前の検証損失",
    "train loss at the end, least": "終わりの学習損失(最小)",
    "train loss at the end, most": "終わりの学習損失(最大)",
    "validation loss at the end, least": "終わりの検証損失(最小)",
    "validation loss at the end, most": "終わりの検証損失(最大)",
    "best validation loss, near step 50": "最良の検証損失(ステップ 50 付近)",
    "the memo's line for step 5,000, which belongs to another run": "メモのステップ 5,000 の行(別の学習のもの)",
    "after 1,000 steps, without dropout and smoothing": "1,000 ステップ後(ドロップアウトと平滑化なし)",
    "its perplexity": "そのパープレキシティ",
    "over-fitted, without dropout and smoothing": "過学習時(ドロップアウトと平滑化なし)",
    "with both, smoothing counted in the loss": "両方あり(損失に平滑化を含む)",
    "with both and fixed windows, smoothing counted in the loss": "両方ありで窓を固定(損失に平滑化を含む)",
    "parameters, says the text": "パラメータ数(本文による)",
    "parameters": "パラメータ数",
    "validation loss after 2,000 steps": "2,000 ステップ後の検証損失",
    "best validation loss": "最良の検証損失",
}
