"""The fusion's Triton kernels, in Triton's interpreter: the same as PyTorch's steps, and as the formula."""
from interpreted_triton import run_interpreted

COMPARED = '''
import torch
from geminifusion3d.ops import gemini_passes, gemini_pointwise, gemini_steps, triton_gemini
from geminifusion3d.ops.gemini_exchange import exchange
from geminifusion3d.ops.gemini_heads import Heads
from geminifusion3d.ops.gemini_layout import BlockShape
from geminifusion3d.ops.gemini_reference import reference_exchange
from geminifusion3d.ops.gemini_weights import AttentionWeights, RelationWeights, fold_reader

def compare(name, blocks, arguments, written, tolerance):
    """Runs a step of both modules; compares what it returns or the blocks that it has written."""
    results = []
    for steps in (gemini_steps, triton_gemini):
        copies = [block.clone() for block in blocks]
        returned = getattr(steps, name)(*copies, *arguments)
        results.append([returned] if name == 'share' else [copies[number] for number in written])
    for of_torch, of_triton in zip(*results):
        torch.testing.assert_close(of_triton, of_torch, rtol=tolerance, atol=tolerance)

torch.manual_seed(0)
for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-13), (torch.bfloat16, 2e-2)):
    # Channels and heads that are no power of two, more cells than a program takes, several parts.
    for cell_dim, parts, n_cells, channels, count in (
            (1, 2, 300, 20, 4), (2, 2, 300, 20, 4), (1, 1, 7, 48, 1)):
        shape = BlockShape(cell_dim, parts, n_cells, channels)
        heads = Heads(count, shape, torch.promote_types(dtype, torch.float32), torch.device('cpu'))
        a, b, c, d, e, own = (torch.randn(shape.size).to(dtype) for _ in range(6))
        relation = torch.randn(shape.size).softmax(shape.channel_dim).to(dtype)
        compare('activate', (a, b), (), (1, ), tolerance)
        compare('activate_backward', (a, b, c), (), (2, ), tolerance)
        compare('score', (a, b, c), (shape.channel_dim, ), (1, 2), tolerance)
        compare('score_backward', (a, relation, c, d), (shape.channel_dim, ), (2, 3), tolerance)
        compare('share', (a, b, c), (heads, ), (), tolerance)
        compare('weigh', (a, gemini_steps.share(a, b, c, heads)), (heads, ), (0, ), tolerance)
        for weighed in (False, True):
            compare('attend_backward', (a, b, c, d, e, relation, own), (heads, weighed), (2, 3, 4, 5),
                    tolerance)

assert gemini_pointwise.pointwise_steps(torch.zeros(1)) is triton_gemini, 'the interpreter is off'
gemini_passes.CPU_CELLS = 4
def weights(*sizes):
    return [torch.randn(*size, requires_grad=True) * 0.3 for size in sizes]
matrix, bias = (12, 12), (12, )
relation = RelationWeights(*weights(matrix, matrix, bias, matrix, bias))
readers = {modality: AttentionWeights(*weights(matrix, bias, matrix, matrix, bias, matrix, bias, bias, bias))
           for modality in (0, 1)}
inputs = [torch.randn(2, 12, 3, 5).movedim(1, -1).requires_grad_() for _ in range(2)]
leaves = [*inputs, *relation, *readers[0], *readers[1]]
folded = {modality: fold_reader(reader, modality=modality, heads=3, relation=True)
          for modality, reader in readers.items()}
results = []
for enriched in (exchange(*inputs, relation, folded, heads=3, dtype=torch.float32),
                 reference_exchange(*inputs, relation, readers, heads=3)):
    results.append([*enriched, *torch.autograd.grad(sum(one.square().sum() for one in enriched), leaves)])
for ours, reference in zip(*results):
    torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-4)
print('compared')
'''


def test_kernels_agree_with_their_steps_and_a_layer_of_them_with_the_formula():
    assert run_interpreted(COMPARED).strip() == 'compared'
