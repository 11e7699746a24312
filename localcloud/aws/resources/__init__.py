"""What the twin can make from a CloudFormation template, one entry per resource type, through its own API."""
