function f = gaussian_likelihood()
  % y = -(ln det(Σ))/2 - tr(Σ^-1 C)/2 and its derivative by Σ.
  %
  % derivative: (Σ^-1 C Σ^-1 - Σ^-1)/2
  %
  % Sigma: invertible spd symmetric matrix, shape (n, n)
  % C: symmetric matrix, shape (n, n)
  %
  % f = gaussian_likelihood(); [y, D] = f.value_and_derivative('Sigma', Sigma, 'C', C)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [Sigma, C] = checked_(varargin);
  factor1 = chol(Sigma, 'lower');
  y = -0.5 * (2 * sum(log(diag(factor1)))) - 0.5 * sum(diag(factor1' \ (factor1 \ C)));
end

function D = derivative(varargin)
  % The derivative by Σ.
  [Sigma, C, n] = checked_(varargin);
  factor1 = chol(Sigma, 'lower');
  M1 = factor1' \ (factor1 \ eye(n));
  D = 0.5 * (M1 * (C * M1) - M1);
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [Sigma, C, n] = checked_(varargin);
  factor1 = chol(Sigma, 'lower');
  M1 = factor1' \ (factor1 \ eye(n));
  M2 = M1 * C;
  y = -0.5 * (2 * sum(log(diag(factor1)))) - 0.5 * sum(diag(M2));
  D = 0.5 * (M1 * M2' - M1);
end

function [Sigma, C, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [Sigma, C] = arguments_({'Sigma', 'C'}, given);
  n = size(Sigma, 1);
  expect_('Sigma', Sigma, [n, n], '(n, n)');
  expect_('C', C, [n, n], '(n, n)');
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
