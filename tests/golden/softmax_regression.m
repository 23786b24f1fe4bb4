function f = softmax_regression()
  % y = sum(logsumexp(X W, 2)) - tr(Y' X W) and its derivative by W.
  %
  % derivative: X' (softmax(X W, 2) - Y)
  %
  % X: matrix, shape (m, n)
  % W: matrix, shape (n, p)
  % Y: matrix, shape (m, p)
  %
  % f = softmax_regression(); [y, D] = f.value_and_derivative('X', X, 'W', W, 'Y', Y)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [X, W, Y] = checked_(varargin);
  M1 = X * W;
  v1 = max(M1, [], 2);
  y = sum(log(sum(exp(M1 - v1), 2)) + v1) - Y(:)' * M1(:);
end

function D = derivative(varargin)
  % The derivative by W.
  [X, W, Y] = checked_(varargin);
  M1 = X * W;
  M2 = exp(M1 - max(M1, [], 2));
  D = X' * (M2 ./ sum(M2, 2) - Y);
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [X, W, Y] = checked_(varargin);
  M1 = X * W;
  v1 = max(M1, [], 2);
  M2 = exp(M1 - v1);
  v2 = sum(M2, 2);
  y = sum(log(v2) + v1) - Y(:)' * M1(:);
  D = X' * (M2 ./ v2 - Y);
end

function [X, W, Y, m, n, p] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [X, W, Y] = arguments_({'X', 'W', 'Y'}, given);
  m = size(X, 1);
  n = size(X, 2);
  p = size(W, 2);
  expect_('X', X, [m, n], '(m, n)');
  expect_('W', W, [n, p], '(n, p)');
  expect_('Y', Y, [m, p], '(m, p)');
end

function varargout = arguments_(names, given)
  % Keyword arguments, pairs of a name and a value, in the order of names. Whole numbers are made double.
  if mod(numel(given), 2) ~= 0 || ~all(cellfun(@(n) ischar(n) || isstring(n), given(1:2:end)))
    error('matgrad:arguments', 'the arguments are pairs of a name and a value, of %s', strjoin(names, ', '));
  end
  keys = cellfun(@char, given(1:2:end), 'UniformOutput', false);
  unknown = setdiff(keys, names);
  if ~isempty(unknown)
    error('matgrad:arguments', '%s is no argument; the arguments are %s', unknown{1}, strjoin(names, ', '));
  end
  for k = 1:numel(names)
    at = find(strcmp(names{k}, keys), 1, 'last');
    if isempty(at)
      error('matgrad:arguments', 'the argument %s is missing; the arguments are %s', names{k}, strjoin(names, ', '));
    end
    varargout{k} = number_(names{k}, given{2 * at});
  end
end

function value = number_(name, value)
  % A whole or logical value as double.
  if isnumeric(value) && ~isreal(value)
    error('matgrad:arguments', '%s should be real, not complex', name);
  end
  if isinteger(value) || islogical(value)
    value = double(value);
  end
end

function expect_(name, value, dims, meaning)
  % An error for a value of another shape.
  if ~isequal(size(value), dims)
    shown = @(d) strjoin(arrayfun(@num2str, d, 'UniformOutput', false), ', ');
    error('matgrad:shape', '%s should have the shape %s = (%s), not (%s)', name, meaning, shown(dims), shown(size(value)));
  end
end
