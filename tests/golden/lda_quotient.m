function f = lda_quotient()
  % y = w' A w/(w' B w) and its derivative by w.
  %
  % derivative: 2 (A - (w' A w) B/(w' B w)) w/(w' B w)
  %
  % w: vector, shape (n, 1)
  % A: symmetric matrix, shape (n, n)
  % B: invertible spd symmetric matrix, shape (n, n)
  %
  % f = lda_quotient(); [y, D] = f.value_and_derivative('w', w, 'A', A, 'B', B)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [w, A, B] = checked_(varargin);
  y = 1 / (w' * (B * w)) * (w' * (A * w));
end

function D = derivative(varargin)
  % The derivative by w.
  [w, A, B] = checked_(varargin);
  v1 = B * w;
  c1 = w' * v1;
  v2 = A * w;
  D = 2 / c1 * (v2 - w' * v2 / c1 * v1);
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [w, A, B] = checked_(varargin);
  v1 = B * w;
  c1 = w' * v1;
  v2 = A * w;
  c2 = w' * v2;
  y = 1 / c1 * c2;
  D = 2 / c1 * (v2 - c2 / c1 * v1);
end

function [w, A, B, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [w, A, B] = arguments_({'w', 'A', 'B'}, given);
  n = size(w, 1);
  expect_('w', w, [n, 1], '(n, 1)');
  expect_('A', A, [n, n], '(n, n)');
  expect_('B', B, [n, n], '(n, n)');
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
