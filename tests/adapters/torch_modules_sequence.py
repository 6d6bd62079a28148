"""Modules that read sequences: recurrent nets, attention, encoders and decoders."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional

from .torch_case import Case

ROWS = {0: Dim("rows", max=64)}
LENGTH = {1: Dim("length", max=64)}


def words(count: int = 20, length: int = 6) -> Any:
    return lambda n: torch.randint(0, count, (n, length))


def vectors(width: int = 8, length: int = 6) -> Any:
    return lambda n: torch.randn(n, length, width)


class Recurrent(nn.Module):
    def __init__(self, kind: Any, **options: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6, padding_idx=0)
        self.net = kind(6, 5, batch_first=True, **options)
        self.head = nn.Linear(5 * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, x: Any) -> Any:
        out, last = self.net(self.embed(x))
        return self.head(out[:, -1]), last


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(4, 5), nn.GRUCell(5, 3)

    def forward(self, x: Any) -> Any:
        h = x.new_zeros(x.shape[0], 5)
        c, g = torch.zeros_like(h), x.new_zeros((x.shape[0], 3))
        for step in x.unbind(1):
            h, c = self.lstm(step, (h, c))
            g = self.gru(h, g)
        return g


class Attention(nn.Module):
    """Self-attention as everybody has written it once, with a mask that is a buffer."""

    def __init__(self, width: int = 8, heads: int = 2, fused: bool = False) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("mask", torch.ones(65, 65).tril().bool(), persistent=False)

    def forward(self, x: Any) -> Any:
        rows, length, width = x.shape
        parts = self.qkv(x).view(rows, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
            scores = scores.masked_fill(~self.mask[:length, :length], float("-inf"))
            y = self.dropout(scores.softmax(-1)) @ v
        return self.out(y.transpose(1, 2).reshape(rows, length, width))


class Block(nn.Module):
    def __init__(self, fused: bool = False) -> None:
        super().__init__()
        self.attention = Attention(fused=fused)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TinyGPT(nn.Module):
    """A language model whose output layer is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(20, 8), nn.Embedding(64, 8)
        self.blocks = nn.ModuleList([Block(fused=True) for _ in range(2)])
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x: Any) -> Any:
        h = self.tokens(x) + self.positions(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


class RoPE(nn.Module):
    """Rotary positions and RMS norm, gated units: a layer of a Llama."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(8)
        self.q, self.k, self.v = (nn.Linear(8, 8, bias=False) for _ in range(3))
        self.gate, self.up = nn.Linear(8, 12, bias=False), nn.Linear(8, 12, bias=False)
        self.down = nn.Linear(12, 8, bias=False)
        self.register_buffer("freq", 1.0 / 100 ** (torch.arange(0, 8, 2) / 8), persistent=False)

    def rotate(self, x: Any, angles: Any) -> Any:
        a, b = x.chunk(2, -1)
        return torch.cat(
            [a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1
        )

    def forward(self, x: Any) -> Any:
        h = self.norm(x)
        angles = torch.arange(x.shape[1])[:, None] * self.freq
        q, k = self.rotate(self.q(h), angles), self.rotate(self.k(h), angles)
        x = (
            x
            + functional.scaled_dot_product_attention(q[:, None], k[:, None], self.v(h)[:, None])[
                :, 0
            ]
        )
        h = self.norm(x)
        return x + self.down(functional.silu(self.gate(h)) * self.up(h))


class Positions(nn.Module):
    """Sines for positions, in a buffer that is saved."""

    def __init__(self) -> None:
        super().__init__()
        at, scale = torch.arange(32)[:, None], torch.exp(torch.arange(0, 8, 2) * -0.5)
        table = torch.zeros(32, 8)
        table[:, 0::2], table[:, 1::2] = torch.sin(at * scale), torch.cos(at * scale)
        self.register_buffer("table", table)
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        return self.linear(x + self.table[: x.shape[1]])


class MultiHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)

    def forward(self, query: Any, memory: Any, ignored: Any) -> Any:
        return self.attention(query, memory, memory, key_padding_mask=ignored)


class Translator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.net = nn.Transformer(8, 2, 1, 1, 16, 0.1, batch_first=True)
        self.head = nn.Linear(8, 20)

    def forward(self, source: Any, target: Any) -> Any:
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        out = self.net(self.embed(source), self.embed(target), tgt_mask=mask, tgt_is_causal=True)
        return self.head(out)


class Seq2Seq(nn.Module):
    """Bahdanau's: a GRU that looks back at what another one read."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.encoder, self.decoder = nn.GRU(6, 5, batch_first=True), nn.GRUCell(11, 5)
        self.score = nn.Bilinear(5, 5, 1)
        self.head = nn.Linear(5, 20)

    def forward(self, source: Any, target: Any) -> Any:
        memory, state = self.encoder(self.embed(source))
        state, outputs = state[0], []
        for word in self.embed(target).unbind(1):
            weights = self.score(memory, state[:, None].expand_as(memory).contiguous()).softmax(1)
            state = self.decoder(torch.cat([word, (weights * memory).sum(1)], -1), state)
            outputs.append(self.head(state))
        return torch.stack(outputs, 1)


class Bags(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(20, 6, mode=mode)
        self.head = nn.Linear(6, 2)

    def forward(self, ids: Any, offsets: Any) -> Any:
        return self.head(self.bag(ids, offsets))


def bags(n: int) -> Any:
    return torch.randint(0, 20, (4 * n,)), torch.arange(0, 4 * n, 4)


class Causal(nn.Module):
    """A convolution over time that never looks ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(4, 4, 2, dilation=2**i) for i in range(3))

    def forward(self, x: Any) -> Any:
        x = x.transpose(1, 2)
        for index, layer in enumerate(self.layers):
            x = x + functional.glu(torch.cat([layer(functional.pad(x, (2**index, 0)))] * 2, 1), 1)
        return x.transpose(1, 2)


class Mixture(nn.Module):
    """Experts, and a gate that picks two of them for each vector."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Any) -> Any:
        weights, chosen = self.gate(x).softmax(-1).topk(2, dim=-1)
        parts = torch.stack([expert(x) for expert in self.experts], -2)
        picked = parts.gather(-2, chosen[..., None].expand(*chosen.shape, 8))
        return (picked * weights[..., None]).sum(-2)


class Scan(nn.Module):
    """A state-space layer, as a loop over a length that stays."""

    def __init__(self) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.linspace(-1.0, 1.0, 8))
        self.read, self.write = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        state, seen = torch.zeros_like(x[:, 0]), []
        for step in self.write(x).unbind(1):
            state = torch.sigmoid(self.decay) * state + step
            seen.append(state)
        return self.read(torch.stack(seen, dim=1))


def layer(kind: Any, **options: Any) -> Any:
    return lambda: kind(8, 2, 16, 0.1, batch_first=True, **options)


CASES = {
    "rnn": Case(lambda: Recurrent(nn.RNN, nonlinearity="relu"), words(), (ROWS,)),
    "lstm": Case(lambda: Recurrent(nn.LSTM), words(), (ROWS,)),
    "lstm_deep": Case(
        lambda: Recurrent(nn.LSTM, num_layers=2, dropout=0.2, bidirectional=True), words(), (ROWS,)
    ),
    "lstm_projected": Case(lambda: nn.LSTM(8, 6, proj_size=4), vectors(), None, other_size=3),
    "gru": Case(lambda: Recurrent(nn.GRU, bidirectional=True), words(), (ROWS,)),
    "cells": Case(Cells, vectors(4), (ROWS,)),
    "attention": Case(Attention, vectors(), (ROWS,)),
    "attention_any_length": Case(
        lambda: Block(), lambda n: torch.randn(2, n, 8), (LENGTH,)
    ),
    "multi_head": Case(
        MultiHead,
        lambda n: (torch.randn(n, 4, 8), torch.randn(n, 6, 8), torch.rand(n, 6) > 0.9),
        (ROWS, ROWS, ROWS),
    ),
    "encoder": Case(
        lambda: nn.TransformerEncoder(layer(nn.TransformerEncoderLayer)(), 2, nn.LayerNorm(8)),
        vectors(), (ROWS,), tolerance=1e-5,
    ),
    "decoder": Case(
        layer(nn.TransformerDecoderLayer, norm_first=True),
        lambda n: (torch.randn(n, 4, 8), torch.randn(n, 6, 8)), (ROWS, ROWS),
        tolerance=1e-5,
    ),
    "translator": Case(
        Translator, lambda n: (words()(n), words(length=4)(n)), (ROWS, ROWS), tolerance=1e-5
    ),
    "tiny_gpt": Case(TinyGPT, words(), (ROWS,)),
    "tiny_gpt_any_length": Case(
        TinyGPT, lambda n: torch.randint(0, 20, (2, n)), (LENGTH,)
    ),
    "rope": Case(RoPE, lambda n: torch.randn(n, n + 1, 8), ({**ROWS, **LENGTH},)),
    "positions": Case(Positions, vectors(), (ROWS,)),
    "seq2seq": Case(Seq2Seq, lambda n: (words()(n), words(length=3)(n)), (ROWS, ROWS)),
    "bag_mean": Case(lambda: Bags("mean"), bags, None, other_size=3),
    "bag_max": Case(lambda: Bags("max"), bags, None, other_size=3),
    "causal": Case(Causal, vectors(4), (ROWS,)),
    "mixture": Case(Mixture, vectors(), (ROWS,)),
    "scan": Case(Scan, vectors(), (ROWS,)),
}  # fmt: skip
