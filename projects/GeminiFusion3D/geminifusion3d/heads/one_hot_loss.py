"""Lets a focal loss read class indices without the compiled operator that the host calls on a GPU."""
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class OneHotLoss(nn.Module):
    """Turns class indices into one-hot rows for a loss that computes those in plain torch.

    Args:
        loss: the host's FocalLoss.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Float[Tensor, 'n k'], classes: Int[Tensor, ' n'],
                weights: Float[Tensor, ' n'], avg_factor: float) -> Float[Tensor, '']:
        """Returns the loss.

        Args:
            logits: one column a class.
            classes: index of the class, k for background.
            weights: of the rows.
            avg_factor: what the sum is divided by.
        """
        one_hot = F.one_hot(classes, logits.shape[1] + 1)[:, :-1]
        return self.loss(logits, one_hot, weights, avg_factor=avg_factor)
