function f = matrix_exponential()
  % y = tr(B expm(A)) and its derivative by A.
  %
  % derivative: dexpm(A, B)'
  %
  % B: matrix, shape (n, n)
  % A: matrix, shape (n, n)
  %
  % f = matrix_exponential(); [y, D] = f.value_and_derivative('B', B, 'A', A)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [B, A] = checked_(varargin);
  y = sum(sum(B' .* expm(A)));
end

function D = derivative(varargin)
  % The derivative by A.
  [B, A] = checked_(varargin);
  D = frechet_(@expm, A, B)';
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [B, A] = checked_(varargin);
  y = sum(sum(B' .* expm(A)));
  D = frechet_(@expm, A, B)';
end

function [B, A, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [B, A] = arguments_({'B', 'A'}, given);
  n = size(B, 1);
  expect_('B', B, [n, n], '(n, n)');
  expect_('A', A, [n, n], '(n, n)');
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

function D = frechet_(f, X, E)
  % The derivative of a matrix function at X in the direction E: the block above the diagonal of f([X, E; 0, X]).
  n = size(X, 1);
  Z = f([X, E; zeros(n), X]);
  D = Z(1:n, n + 1:end);
end
