"""The AWS side as code: stages, one construct per capability, three thin stacks."""
